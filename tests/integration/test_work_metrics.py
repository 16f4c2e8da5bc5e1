"""What the worker counts of jobs and documents."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from app.db.session import DatabaseUnavailable
from app.jobs import broker as brokers
from app.jobs import tasks
from app.knowledge import ingestion
from app.knowledge.tools import Tools
from app.settings import Settings
from app.usage.errors import RecorderFull
from app.usage.recorder import Recorder
from tests import documents, pdfs, usage
from tests.databases import on_postgresql

Counted = Callable[..., float]


@pytest.fixture
def counted() -> Counted:
    """How much a metric has grown since the test began."""
    before = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
    }

    def grown(name: str, **labels: str) -> float:
        now = REGISTRY.get_sample_value(name, labels) or 0.0
        return now - before.get((name, frozenset(labels.items())), 0.0)

    return grown


@on_postgresql
def test_a_document_is_counted_step_by_step(hashed_tools: Tools, counted: Counted) -> None:
    documents.add(hashed_tools, 1, documents.WATER)
    documents.work(hashed_tools)
    assert counted("mindgraph_ingestion_results_total", result="ready") == 1
    assert counted("mindgraph_ingestion_chunks_total") >= 1
    for step in ("extract", "embed", "index"):
        assert counted("mindgraph_ingestion_step_duration_seconds_count", step=step) == 1
    assert counted("mindgraph_ingestion_results_total", result="failed") == 0


@on_postgresql
def test_one_that_can_not_be_read_is_a_failure(hashed_tools: Tools, counted: Counted) -> None:
    documents.add(hashed_tools, 1, " ")
    documents.work(hashed_tools)
    assert counted("mindgraph_ingestion_results_total", result="failed") == 1
    assert counted("mindgraph_ingestion_results_total", result="ready") == 0


@on_postgresql
def test_one_that_waits_for_the_embedder_is_no_failure(
    hashed_tools: Tools, closed_port: int, counted: Counted
) -> None:
    away = hashed_tools.settings.model_copy(
        update={"embedder_url": f"http://127.0.0.1:{closed_port}"}
    )
    documents.add(hashed_tools, 1, documents.BACKUPS)
    with documents.opened(away) as tools:
        assert ingestion.work_next(tools, threading.Event())
    assert counted("mindgraph_ingestion_results_total", result="waiting") == 1


def purge(cache: Redis, settings: Settings) -> None:
    """Does the job as a worker with these settings does."""
    with documents.opened(settings) as tools:
        broker = brokers.build(cache)
        tasks.register(broker, cache, tools, threading.Event())
        broker.get_actor(tasks.PURGE)()


@on_postgresql
def test_a_job_is_counted_by_how_it_ended(
    cache: Redis, settings: Settings, closed_port: int, counted: Counted
) -> None:
    purge(cache, settings)
    with pytest.raises(DatabaseUnavailable):
        purge(cache, settings.model_copy(update={"database_port": closed_port}))
    for result in ("done", "failed"):
        assert counted("mindgraph_jobs_total", task=tasks.PURGE, result=result) == 1
    assert counted("mindgraph_job_duration_seconds_count", task=tasks.PURGE) == 2


def test_records_of_usage_that_are_refused_are_counted(database: Any, counted: Counted) -> None:
    recorder = Recorder(database, queue_rows=1)
    recorder.record([usage.event()])
    # As if the thread were busy with one.
    recorder.waiting = 1
    with pytest.raises(RecorderFull):
        recorder.record([usage.event(), usage.event()])
    recorder.waiting = 0
    recorder.close()
    assert counted("mindgraph_usage_records_total") == 1
    assert counted("mindgraph_usage_records_refused_total") == 2


@on_postgresql
def test_pages_are_counted(hashed_tools: Tools, counted: Counted) -> None:
    page = pdfs.text((12, 72, 700, "Rain falls."))
    documents.add(hashed_tools, 1, pdfs.of_pages([page, page]), "two.pdf")
    documents.work(hashed_tools)
    assert counted("mindgraph_ingestion_pages_total") == 2
