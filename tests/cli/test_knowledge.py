import json
from typing import Any

from app.knowledge import indexes
from app.settings import Settings
from app.vectors import collections
from tests import documents
from tests.commands import environment_of, run
from tests.documents import long_text
from tests.people import ALICE


def test_the_check_ends_with_1_for_what_it_does_not_mend_and_with_0_otherwise(
    hashed: Settings,
) -> None:
    environ = environment_of(hashed)
    with documents.opened(hashed) as tools:
        documents.prepare(tools)
        document = documents.add(tools, ALICE.id, long_text("text"))
        documents.work(tools)
        chunks = documents.read(tools, ALICE.id, document.id).newest.chunks
    clean = run("knowledge", "check", environ=environ)
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout.splitlines()[0] == f"{chunks} chunks, {chunks} points, 1 files"
    with documents.opened(hashed) as tools, tools.files.receiving() as incoming:
        incoming.write(b"superfluous")
        with tools.files.keeping(incoming):
            pass
    found = run("knowledge", "check", environ=environ)
    assert found.returncode == 1
    assert f"1 files without a version: {incoming.sha256}" in found.stdout
    assert "mindgraph knowledge check --fix" in found.stdout
    mended = run("knowledge", "check", "--fix", "--json", environ=environ)
    assert mended.returncode == 0
    report = json.loads(mended.stdout)
    assert report["clean"]
    assert [one["fixed"] for one in report["differences"]] == [0, 0, 0, 1]
    with documents.opened(hashed) as tools:
        tools.files.path(document.newest.sha256).unlink()
    lost = run("knowledge", "check", "--fix", environ=environ)
    assert lost.returncode == 1
    assert f"1 versions without their file: {document.newest.sha256}" in lost.stdout
    # What has not helped is no advice.
    assert "--fix" not in lost.stdout
    with documents.opened(hashed) as tools:
        documents.delete_collections(tools)


QUESTIONS: tuple[dict[str, Any], ...] = (
    {"question": "energy of photosynthesis", "document": "plants.md", "language": "en"},
    # The right document, but the phrase is in no passage of it.
    {"question": "photosynthesis", "document": "plants.md", "contains": ["chlorophyl\u202f!"]},
    {
        "question": "太阳的热量",
        "document": ["water.md", "other.md"],
        "contains": ["nowhere", "太阳的 热量"],
        "language": "zh",
        "across": True,
    },
    # A passage of another document has its words.
    {"question": "full copy database", "document": "plants.md", "language": "en"},
)


def test_an_evaluation_tells_how_many_questions_are_answered_by_their_document(
    hashed: Settings,
) -> None:
    environ = environment_of(hashed)
    with documents.opened(hashed) as tools:
        documents.prepare(tools)
        for name, content in (
            ("plants.md", documents.PHOTOSYNTHESIS),
            ("water.md", documents.WATER),
            ("backups.md", documents.BACKUPS),
        ):
            documents.add(tools, ALICE.id, content, name)
        documents.work(tools)
    asked = "\n".join(json.dumps(one) for one in QUESTIONS)
    command = ("knowledge", "evaluate", "/dev/stdin", "--login", ALICE.login)
    shown = run(*command, environ=environ, typed=asked)
    assert shown.returncode == 0, shown.stderr
    told = run(*command, "--json", environ=environ, typed=asked)
    found = {(one["group"], one["mode"]): one for one in json.loads(told.stdout)}
    groups = {"all": 4, "across": 1, "": 1, "en": 2, "zh across": 1}
    assert {key[0]: one["questions"] for key, one in found.items()} == groups
    assert {key[1] for key in found} == {"semantic", "keyword", "hybrid"}
    by_words = {key[0]: one for key, one in found.items() if key[1] == "keyword"}
    assert [by_words[group]["recall"]["1"] for group in groups] == [0.5, 1, 0, 0.5, 1]
    assert by_words["all"]["mrr"] == 0.5
    assert "all (4)                  keyword    0.500  0.500  0.500  0.500" in shown.stdout
    with documents.opened(hashed) as tools:
        documents.delete_collections(tools)


def test_questions_that_can_not_be_used_are_told_with_their_line(hashed: Settings) -> None:
    environ = environment_of(hashed)
    for typed, told in (
        ('{"question": "a", "document": "b"}\n\n{"question": "a"}', "line 3: document"),
        ("{", "line 1"),
        ("\n", "has no question"),
    ):
        command = ("knowledge", "evaluate", "/dev/stdin", "--login", ALICE.login)
        refused = run(*command, environ=environ, typed=typed)
        assert refused.returncode == 1
        assert told in refused.stderr
        assert "Traceback" not in refused.stderr
    missing = run("knowledge", "evaluate", "no.jsonl", "--login", ALICE.login, environ=environ)
    assert missing.returncode == 1
    assert "no.jsonl can't be read" in missing.stderr


def test_a_lost_collection_is_told_and_a_reindex_makes_another_one(hashed: Settings) -> None:
    environ = environment_of(hashed)
    with documents.opened(hashed) as tools:
        documents.prepare(tools)
        documents.add(tools, ALICE.id, long_text("text"))
        documents.work(tools)
        collections.delete(tools.qdrant, indexes.require_active(tools.database).collection)
    lost = run("knowledge", "check", environ=environ)
    assert lost.returncode == 1
    assert "mindgraph reindex" in lost.stderr
    assert "Traceback" not in lost.stderr
    done = run("reindex", environ=environ)
    assert done.returncode == 0, done.stderr
    assert "vectors of hashed" in done.stdout
    assert run("knowledge", "check", environ=environ).returncode == 0
    with documents.opened(hashed) as tools:
        documents.delete_collections(tools)
