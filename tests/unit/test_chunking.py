"""app/knowledge/chunking.py: chunks of documents in Chinese and in English."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge import chunking, graphemes, sections
from app.knowledge.chunking import chunk, embedding_text
from app.knowledge.texts import Block, ChunkText, Extracted, Kind

ENGLISH = "The water cycle has four stages. Dr. Smith names them: 1.5 km up, vapour condenses! "
CHINESE = "水循环有四个环节：蒸发、凝结、降水和径流。“为什么会下雨？”老师先提问，再让学生讨论……"
SIGNS = (
    "水循环。！？”，、 ab AB.!?,;:\n\t\r\u3000e\u0301👩\u200d🔬👍🏽🇨🇳🇫🇷\ufe0f\u00ad…\ud83d\ude00"
)

TEXT = st.one_of(
    st.text(SIGNS, max_size=80),
    st.text(max_size=40),
    st.lists(st.sampled_from([ENGLISH, CHINESE, "水", "short. ", "\n"]), max_size=6).map("".join),
)
KINDS: list[Kind] = ["paragraph", "paragraph", "heading", "list", "table", "code"]
Counter = Callable[[str], int]


def around_words(text: str) -> int:
    """Like a model's: two tokens around every text, one or two for each word, none for spaces."""
    return 2 + sum(1 + len(word) // 5 for word in text.split())


COUNTERS: dict[str, Counter] = {
    "characters": len,
    "words": around_words,
    "bytes": lambda text: len(text.encode(errors="surrogatepass")),
}


@st.composite
def documents(draw: st.DrawFn) -> Extracted:
    blocks = []
    page = 1
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(KINDS))
        page += draw(st.integers(0, 1))
        level = draw(st.integers(1, 4)) if kind == "heading" else 0
        blocks.append(Block(draw(TEXT).strip(), kind, level, page))
    return Extracted(tuple(blocks), "text/plain")


def paragraphs(*texts: str) -> Extracted:
    return Extracted(tuple(Block(text.strip()) for text in texts), "text/plain")


def section(number: int, *texts: str, level: int = 2) -> list[Block]:
    return [
        Block(f"Section {number}", "heading", level),
        *(Block(text.strip()) for text in texts),
    ]


def contents(blocks: list[Block]) -> list[str]:
    made = chunk(Extracted(tuple(blocks), "text/plain"), around_words)
    return [one.content for one in made]


def is_small(text: str) -> bool:
    """Whether it is one character to those who read it."""
    return not any(graphemes.is_boundary(text, at) for at in range(1, len(text)))


@given(document=documents(), counter=st.sampled_from(sorted(COUNTERS)), data=st.data())
def test_chunks_partition_the_text_within_the_limits(
    document: Extracted, counter: str, data: st.DataObject
) -> None:
    count = COUNTERS[counter]
    most = data.draw(st.integers(4, 60))
    target = data.draw(st.integers(1, most))
    text = sections.document_text(document)
    made = [*chunk(document, count, target_tokens=target, most_tokens=most)]

    assert [one.ordinal for one in made] == [*range(len(made))]
    at = 0
    for one in made:
        assert text[at : one.start].strip() == ""
        assert one.start < one.end
        assert one.content == text[one.start : one.end] == one.content.strip()
        assert one.tokens == count(one.content)
        assert one.tokens <= most or is_small(one.content)
        assert graphemes.is_boundary(text, one.start)
        at = one.end
    assert text[at:].strip() == ""
    assert made == [*chunk(document, count, target_tokens=target, most_tokens=most)]


@given(document=documents())
def test_pages_and_headings_are_those_of_the_place_where_a_chunk_begins(
    document: Extracted,
) -> None:
    starts = [0, *itertools.accumulate(len(block.text) + 2 for block in document.blocks)]
    for one in chunk(document, around_words, target_tokens=20, most_tokens=40):
        at = max(at for at, start in enumerate(starts) if start <= one.start)
        assert one.page == document.blocks[at].page
        above: list[Block] = []
        for block in document.blocks[:at]:
            if block.kind == "heading" and block.text:
                above = [*(higher for higher in above if higher.level < block.level), block]
        if document.blocks[at].kind == "heading":
            above = [higher for higher in above if higher.level < document.blocks[at].level]
        assert len(one.headings) == min(4, len(above))
        for heading, block in zip(one.headings, above[-4:], strict=False):
            assert " ".join(block.text.split()).startswith(heading)
            assert len(heading) <= 120


@given(
    texts=st.lists(st.sampled_from([ENGLISH, CHINESE, ENGLISH * 5, CHINESE * 9]), min_size=1),
    levels=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_a_heading_is_never_at_the_end_of_a_chunk(texts: list[str], levels: list[int]) -> None:
    headings = [Block(f"Heading {at}", "heading", level) for at, level in enumerate(levels)]
    blocks = [Block(ENGLISH.strip()), *headings, *(Block(text.strip()) for text in texts)] * 3
    for content in contents(blocks):
        assert not content.split("\n\n")[-1].startswith("Heading")


def test_a_heading_begins_a_chunk_with_what_follows() -> None:
    first, second = contents([*section(1, ENGLISH * 3), *section(2, ENGLISH * 3)])
    assert first.startswith("Section 1\n\nThe water")
    assert second.startswith("Section 2\n\nThe water")


def test_small_blocks_below_a_heading_are_one_chunk() -> None:
    assert len(contents(section(1, *[ENGLISH] * 5))) == 1


def test_blocks_stay_whole_where_they_can() -> None:
    made = contents(section(1, *[ENGLISH * 3] * 10))
    assert len(made) > 3
    for content in made:
        assert content.removesuffix(ENGLISH.strip()) != content
        assert content.removeprefix("Section 1\n\n").startswith("The water")


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    for sentence, end in ((ENGLISH, "!"), (CHINESE, "……")):
        made = [*chunk(paragraphs(sentence * 200), len)]
        assert len(made) > 20
        for one in made:
            assert one.content[-1] in {".", end[-1], "。"}
            assert not one.content.endswith(("Dr.", "1."))


def test_the_closing_quote_belongs_to_its_sentence() -> None:
    made = [*chunk(paragraphs("他说：“水会蒸发。”" * 40), len, target_tokens=30, most_tokens=60)]
    assert len(made) > 5
    assert all(one.content.endswith("。”") for one in made)


def test_a_table_is_cut_at_the_ends_of_its_lines() -> None:
    rows = "\n".join(f"{at}\twater\t{at * 7}.5" for at in range(500))
    made = [*chunk(Extracted((Block(rows, "table"),), "text/csv"), around_words)]
    assert len(made) > 5
    assert [line for one in made for line in one.content.split("\n")] == rows.split("\n")


def test_a_text_without_any_end_is_cut_between_characters() -> None:
    family = "👩\u200d👩\u200d👧"
    made = [*chunk(paragraphs(family * 300), len)]
    assert len(made) > 5
    assert all(set(one.content.split(family)) == {""} for one in made)


def test_chunks_have_about_the_same_size() -> None:
    blocks = [Block(text.strip()) for text in (ENGLISH, CHINESE, ENGLISH * 2) * 300]
    made = [*chunk(Extracted(tuple(blocks), "text/plain"), len)]
    assert all(110 <= one.tokens <= 300 for one in made)
    assert 120 < sum(one.tokens for one in made) / len(made) < 240


def test_small_sections_beside_each_other_are_one_chunk() -> None:
    blocks = [block for at in range(60) for block in section(at, "Water is wet.")]
    made = contents(blocks)
    assert 4 < len(made) < 40
    assert all(one.startswith("Section") for one in made)
    assert max(one.count("Section") for one in made) > 2


def test_a_small_section_does_not_join_one_of_another_level() -> None:
    assert len(contents([*section(1, "Water."), *section(2, "Ice.", level=3)])) == 2


@given(
    sizes=st.lists(st.integers(4, 30), min_size=3, max_size=12),
    added=st.sampled_from(["Steam.", ENGLISH, CHINESE * 3, ENGLISH * 30]),
    data=st.data(),
)
def test_a_paragraph_in_one_section_leaves_the_chunks_of_the_others(
    sizes: list[int], added: str, data: st.DataObject
) -> None:
    texts = [section(at, *[f"{ENGLISH} {at}"] * size) for at, size in enumerate(sizes)]
    others = data.draw(st.integers(0, len(sizes) - 1))
    place = data.draw(st.integers(1, len(texts[others])))
    changed = [*texts]
    changed[others] = [*texts[others][:place], Block(added.strip()), *texts[others][place:]]
    before = contents([block for one in texts for block in one])
    after = contents([block for one in changed for block in one])
    own = {*contents(texts[others]), *contents(changed[others])}
    assert [one for one in before if one not in own] == [one for one in after if one not in own]
    assert len([one for one in before if one not in own]) >= len(sizes) - 1


def test_one_more_small_section_leaves_nearly_all_chunks() -> None:
    blocks = [block for at in range(1_000) for block in section(at, "Water is wet.")]
    before = contents(blocks)
    after = contents([*section(-1, "Ice is cold."), *blocks])
    assert len({*after} - {*before}) <= 5


@pytest.mark.parametrize("kind", ["table", "paragraph"])
def test_one_more_line_at_the_beginning_leaves_nearly_all_chunks(kind: Kind) -> None:
    lines = [f"Row {at} of the table says {at * 7919 % 1000}." for at in range(2_000)]
    joined = "\n" if kind == "table" else " "

    def made(rows: list[str]) -> set[str]:
        block = Block(joined.join(rows), kind)
        return {one.content for one in chunk(Extracted((block,), "text/plain"), around_words)}

    before = made(lines)
    after = made(["The first row.", *lines])
    assert len(before) > 50
    assert len(after - before) <= 12


def test_a_large_text_is_taken_apart_as_it_is_read() -> None:
    counted = 0

    def count(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return len(text) // 2

    text = CHINESE * 60_000
    made = chunk(paragraphs(text), count)
    next(made)
    assert counted < 10_000
    assert sum(1 for _ in made) > 5_000
    # Each sentence once, and each chunk once.
    assert counted <= 2 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        "水" * 200_000,
        "!" * 200_000,
        "a " * 100_000,
        "e" + "\u0301" * 50_000,
        "“" * 99_999,
        ",;" * 99_999,
    ],
    ids=range(6),
)
def test_odd_texts_are_counted_a_few_times_at_most(text: str) -> None:
    counted = 0

    def count(part: str) -> int:
        nonlocal counted
        counted += len(part)
        return len(part)

    made = [*chunk(paragraphs(text), count)]
    assert "".join(one.content for one in made).replace(" ", "") == text.replace(" ", "")
    assert counted <= 8 * len(text)


EXAMPLE = ChunkText(0, 0, 3, "水会蒸发", 1, (), 5)


def test_what_is_embedded_begins_with_the_headings_or_the_title() -> None:
    assert embedding_text("水 循环", EXAMPLE) == "水 循环\n水会蒸发"
    below = replace(EXAMPLE, headings=("地理", "水循环"))
    assert embedding_text("Title", below) == "地理 > 水循环\n水会蒸发"


def test_a_title_that_the_chunk_begins_with_is_not_embedded_twice() -> None:
    assert embedding_text("水会", EXAMPLE) == "水会蒸发"


def test_of_the_headings_the_nearest_stay_when_there_is_no_room_for_all() -> None:
    below = replace(EXAMPLE, headings=("x" * 120, "y" * 120, "near"), tokens=350)
    assert embedding_text("", below) == f"{'y' * 120} > near\n水会蒸发"
    assert embedding_text("", replace(below, tokens=490)) == "near\n水会蒸发"
    assert embedding_text("", replace(below, tokens=498)) == "ne\n水会蒸发"
    assert embedding_text("", replace(below, tokens=900)) == "水会蒸发"


@given(title=TEXT, tokens=st.integers(0, 600))
def test_the_embedded_text_ends_with_the_chunk(title: str, tokens: int) -> None:
    made = embedding_text(title, replace(EXAMPLE, tokens=tokens))
    assert made.endswith(EXAMPLE.content)
    added = len(made) - len(EXAMPLE.content)
    assert tokens + added <= chunking.MOST_EMBEDDED + 1 or not added


def test_blanks_that_a_model_counts_as_nothing_make_no_chunk_of_a_megabyte() -> None:
    lines = "\n".join(f"x{at}{' ' * 3_000}y{at}" for at in range(50))
    block = Block(lines, "code")

    def count(part: str) -> int:
        return 2 + len(part.split())

    made = list(chunking.chunk(Extracted((block,), "text/plain"), count, most_tokens=512))
    assert max(len(one.content) for one in made) <= 512 * chunking.CHARACTERS_OF_TOKEN
    words = [word for one in made for word in one.content.split()]
    assert words == lines.split()
