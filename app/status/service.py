"""How the installation is, in one look."""

from collections.abc import Iterator

import app
from app import clock
from app.errors import AppError
from app.health import checks
from app.settings import Settings
from app.status import files
from app.status.observer import Observer
from app.status.schemas import Backup, Observed, StatusOut

PATIENCE_S = 3.0


def look(services: checks.Services, observer: Observer, settings: Settings) -> StatusOut:
    """Asks everybody; waits some seconds for who doesn't answer."""
    readiness = checks.readiness(services)
    observed = observer.look(PATIENCE_S)
    backup, complaint = _backup(settings)
    problems = [f"{name}: {readiness.services[name].problem}" for name in readiness.down]
    return StatusOut(
        at=clock.now(),
        version=app.__version__,
        revision=settings.revision,
        environment=settings.environment,
        maintenance=settings.maintenance,
        ready=readiness.ready,
        services=readiness.services,
        queue=observed.queue,
        documents=observed.backlog,
        sessions=observed.sessions,
        connections=observed.connections,
        disk=files.disk(settings.data_dir),
        backup=backup,
        problems=problems + complaint + list(_seen(observed)),
    )


def _backup(settings: Settings) -> tuple[Backup | None, list[str]]:
    try:
        found = files.backup(settings.backup_report)
    except AppError as error:
        return None, [f"backup: {error.detail}"]
    return found, [] if found is None or found.ok else ["backup: the last one failed"]


def _seen(observed: Observed) -> Iterator[str]:
    queue, connections = observed.queue, observed.connections
    if queue is not None and queue.workers == 0:
        yield "worker: none was heard of in the last minute"
    if queue is not None and queue.dead:
        yield f"queue: {queue.dead} jobs failed for the last time"
    if connections is not None and connections.used > connections.allowed * 0.9:
        yield f"connections: {connections.used} of {connections.allowed} are in use"
