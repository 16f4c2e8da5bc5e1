import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.knowledge.extraction import clean, wrapping
from app.knowledge.texts import Block, Kind


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a\0b\x01c\x7f", "abc"),
        ("soft\u00adhyphen", "softhyphen"),
        ("half \ud800 pair", "half pair"),
        ("private \ue000\U000f0000use", "private use"),
        ("\ufeffmark", "mark"),
        ("e\u0301", "é"),
        ("a  b\t\u00a0\u3000c", "a b c"),
        ("a\r\nb\rc\x0cd\u2028e", "a\nb\nc\nd\ne"),
        ("a\n\n \n b", "a\nb"),
        ("N\bNA\bAM\bME\bE", "NAME"),
        ("_\bu_\bn", "un"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x", "red x"),
        ("Introduction . . . . . . . . . . . 7", "Introduction … 7"),
        ("right \u202eleft", "right left"),
        ("👨\u200d👩\u200d👧 क्\u200dष", "👨\u200d👩\u200d👧 क्\u200dष"),
        ("㎡ ½ ﬁ", "㎡ ½ ﬁ"),
    ],
)
def test_what_nobody_can_read_is_taken_out(raw: str, cleaned: str) -> None:
    assert clean.lines(raw) == cleaned


def test_code_keeps_its_blanks() -> None:
    assert clean.code("\n\nif a:  \r\n\tb\n\n    c\n") == "if a:\n    b\n\n    c"


@given(st.text(st.sampled_from(" \t\u3000\nab"), max_size=40))
def test_blanks_at_the_ends_of_lines_and_no_others_are_taken_out(text: str) -> None:
    bare = "\n".join(line.rstrip() for line in text.split("\n"))
    assert clean.BLANKS_AT_END.sub("", text) == bare


def test_code_with_a_million_blanks_in_one_line_is_read() -> None:
    """In a moment: with the square of their number it would be hours."""
    blanks = " " * 1_000_000
    assert clean.code(f"a{blanks}b{blanks}\nc") == f"a{blanks}b\nc"


def test_a_heading_stands_on_one_line_of_bounded_length() -> None:
    (block,) = clean.blocks(Block("one\n two " + "x" * 100_000, "heading", 2, 3))
    assert block.text.startswith("one two x")
    assert len(block.text) == clean.LONGEST_LINE
    assert (block.level, block.page) == (2, 3)


@pytest.mark.parametrize("raw", ["", " \n\0", "\u00ad"])
def test_of_nothing_comes_no_block(raw: str) -> None:
    assert list(clean.blocks(Block(raw))) == []


@pytest.mark.parametrize(
    ("unit", "ending"), [("A sentence of words. ", "."), ("这是一个句子。", "。"), ("word ", "d")]
)
def test_a_long_paragraph_is_parted_where_a_sentence_or_a_word_ends(unit: str, ending: str) -> None:
    text = (unit * 10_000).strip()
    parts = [block.text for block in clean.blocks(Block(text, page=4))]
    assert len(parts) > 1
    assert all(part.endswith(ending) for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_a_long_run_without_any_border_is_parted_but_not_between_a_letter_and_its_marks() -> None:
    parts = [block.text for block in clean.blocks(Block("x\u0331" * 30_000))]
    assert all(len(part) <= clean.LONGEST_BLOCK for part in parts)
    assert not any(unicodedata.combining(part[0]) for part in parts)


@given(st.text(st.characters(), max_size=200), st.sampled_from(["paragraph", "code", "heading"]))
def test_cleaned_text_has_no_blank_at_its_ends_and_nothing_to_clean(text: str, kind: Kind) -> None:
    for block in clean.blocks(Block(text, kind)):
        assert block.text == block.text.strip() != ""
        assert block.text.encode()
        assert list(clean.blocks(block)) == [block]


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["one", "two"], "one two"),
        (["知", "识"], "知识"),
        (["知识", "graph"], "知识 graph"),
        (["结束。", "下"], "结束。下"),
        (["한국", "어"], "한국 어"),
        (["docu-", "ment"], "document"),
        (["Anglo-", "Saxon"], "Anglo- Saxon"),
        (["1990-", "2000"], "1990- 2000"),
        (["docu\x02", "ment"], "document"),
        (["Anglo\x02", "Saxon"], "Anglo-Saxon"),
        (["a", "", " b "], "a b"),
        ([], ""),
    ],
)
def test_lines_are_joined_as_people_read_them(lines: list[str], joined: str) -> None:
    assert wrapping.join(lines) == joined
