import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.import_sqlite import __main__ as benchmark
from benchmarks.import_sqlite import floor, ours, source
from benchmarks.import_sqlite import server as servers_of
from benchmarks.import_sqlite.__main__ import Bench
from benchmarks.import_sqlite.measure import Failed
from benchmarks.import_sqlite.server import Server
from tests.servers import Servers

SCALE = 0.002
# What is told when this is done to a right import.
SPOILED = {
    "query_feedback: 11 rows of 12": "DELETE FROM query_feedback WHERE id = 1",
    "users: other values in created_at": (
        "UPDATE users SET created_at = created_at + interval '1 microsecond' WHERE id = 2"
    ),
    "token_usage: other values in response_time": (
        "UPDATE token_usage SET response_time = response_time * (1 + 1e-15) WHERE id = 5"
    ),
    "knowledge_queries: other values in source_context": (
        "UPDATE knowledge_queries SET source_context = NULL WHERE source_context = 'null'"
    ),
    "embeddings: other values in embedding": (
        "UPDATE embeddings SET embedding = set_byte(embedding, 100, 0) WHERE id = 1"
    ),
    "document_chunks: other values in text": (
        "UPDATE document_chunks SET text = text || ' ' WHERE id = 3"
    ),
    "missing: CREATE UNIQUE INDEX ix_users_phone ON public.users USING btree (phone)": (
        "DROP INDEX ix_users_phone"
    ),
    "missing: diagrams: FOREIGN KEY (user_id) REFERENCES users(id)": (
        "ALTER TABLE diagrams DROP CONSTRAINT diagrams_user_id_fkey"
    ),
    "users.id: the next id is taken": "SELECT setval('users_id_seq', 39, true)",
    "33 tables without statistics": "DELETE FROM pg_statistic",
}


@pytest.fixture(scope="module")
def server(servers: Servers) -> Iterator[Server]:
    with servers_of.prepared(servers) as made:
        yield made


@pytest.fixture(scope="module")
def bench(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("import_sqlite")
    return Bench(server, source.made(SCALE, folder), folder)


@pytest.fixture(scope="module")
def filled(bench: Bench) -> Iterator[str]:
    """A database that holds what the file holds."""
    with bench.server.database() as name:
        ours.load(bench.server.url(name), bench.file, bench.folder)
        yield name


def test_the_benchmark_runs_and_writes_what_it_found(bench: Bench, tmp_path: Path) -> None:
    result = benchmark.run(bench, {"ours": ours.load}, rounds=1)
    file = tmp_path / "results" / "import.json"
    result.write(file)
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["rows"] == sum(source.counts(SCALE).values())
    assert list(written["turns"]) == ["ours", "floor, text", "floor, binary"]
    (turn,) = written["turns"]["ours"]
    assert turn["wrong"] == []
    assert turn["peak_bytes"] > 10_000_000
    assert turn["phases"][ours.COPY] > 0
    assert list(written["ratios"]) == ["ours, loading / floor", "ours, all / floor"]
    assert file.with_suffix(".md").read_text(encoding="utf-8").count("\n| ") == 5
    assert result.table()[1].startswith("ours ")


def test_the_source_is_the_same_at_every_making(bench: Bench, tmp_path: Path) -> None:
    again = source.made(SCALE, tmp_path)
    assert (again.name, again.read_bytes()) == (bench.file.name, bench.file.read_bytes())


def test_whatever_a_contender_got_wrong_is_told(bench: Bench, filled: str) -> None:
    with bench.server.database(filled) as name:
        with bench.server.connected(name) as cursor:
            for spoil in SPOILED.values():
                cursor.execute(spoil)
        assert sorted(bench.wrong(name)) == sorted(SPOILED)


def test_nothing_is_wrong_with_a_right_import(bench: Bench, filled: str) -> None:
    assert list(bench.wrong(filled)) == []


def test_a_contender_that_fails_says_why(bench: Bench, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(Failed, match=r"(?s)ended with 1.*there is no file"):
        ours.load(bench.server.url(bench.server.name), missing, bench.folder)


def test_an_import_without_a_proof_is_no_right_one() -> None:
    report = {"verdict": "identical", "proof": {"tables": [{}] * 32}}
    assert list(ours.doubts(report)) == ["only 32 of 33 tables were proved"]
    assert list(ours.doubts({"verdict": "failed", "proof": None})) == [
        "verdict: failed",
        "only 0 of 33 tables were proved",
    ]


def test_the_floor_is_no_floor_when_rows_are_missing(bench: Bench) -> None:
    parts = floor.export(bench.server, bench.file, bench.types)
    with pytest.raises(AssertionError, match="lack rows of"):
        floor.load(bench.server, parts[1:], "binary", bench.sums)
