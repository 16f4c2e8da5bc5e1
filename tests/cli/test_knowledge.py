import json

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
