"""The content of diagrams, and the earlier states that are kept of it."""

from typing import Any

from sqlalchemy.orm import Session

from app import clock
from app.diagrams import content, indexing, queries
from app.diagrams.errors import DiagramNotFound, VersionMismatch, VersionNotFound
from app.diagrams.models import Diagram
from app.diagrams.schemas import DiagramOut, VersionList, VersionOut
from app.http.etags import Expected
from app.settings import Settings


def lock(session: Session, user_id: int, diagram_id: str, expected: Expected) -> Diagram:
    """The diagram, which nobody else changes until the end of the transaction.

    Raises:
        DiagramNotFound, VersionMismatch.
    """
    diagram = queries.lock(session, user_id, diagram_id)
    if diagram is None:
        raise DiagramNotFound
    if not expected.allows(diagram.version):
        raise VersionMismatch(diagram.version)
    return diagram


def hold(session: Session, user_id: int, diagram_id: str, expected: Expected) -> None:
    """As `lock`, for a change that needs nothing of the diagram.

    Raises:
        DiagramNotFound, VersionMismatch.
    """
    version = queries.lock_version(session, user_id, diagram_id)
    if version is None:
        raise DiagramNotFound
    if not expected.allows(version):
        raise VersionMismatch(version)


def change(session: Session, settings: Settings, diagram: Diagram, values: dict[str, Any]) -> None:
    """Changes a diagram that is locked. A content that is another one makes a new version."""
    before = content.of(diagram)
    after = {name: values.get(name, before[name]) for name in content.FIELDS}
    if content.fingerprint(after) == content.fingerprint(before):
        others = {name: value for name, value in values.items() if name not in before}
        queries.change(session, diagram, others)
        return
    kept = {"version": diagram.version, "saved_at": diagram.updated_at, **before}
    queries.keep_version(session, diagram.id, kept, settings.diagram_version_limit)
    changed = {"version": diagram.version + 1, "updated_at": clock.now()}
    queries.change(session, diagram, values | changed)
    indexing.index(session, diagram)


def list_of(session: Session, user_id: int, diagram_id: str) -> VersionList:
    """Raises DiagramNotFound."""
    _require_diagram(session, user_id, diagram_id)
    return VersionList(items=queries.list_versions(session, diagram_id))


def require(session: Session, user_id: int, diagram_id: str, version: int) -> VersionOut:
    """Raises DiagramNotFound, VersionNotFound."""
    _require_diagram(session, user_id, diagram_id)
    return _require(session, diagram_id, version)


def restore(
    session: Session,
    settings: Settings,
    user_id: int,
    diagram_id: str,
    version: int,
    expected: Expected,
) -> DiagramOut:
    """Makes an earlier state the newest version.

    Raises:
        DiagramNotFound, VersionMismatch, VersionNotFound.
    """
    diagram = lock(session, user_id, diagram_id, expected)
    earlier = _require(session, diagram_id, version)
    change(session, settings, diagram, content.of(earlier))
    return DiagramOut.model_validate(diagram)


def _require_diagram(session: Session, user_id: int, diagram_id: str) -> None:
    if not queries.exists(session, user_id, diagram_id):
        raise DiagramNotFound


def _require(session: Session, diagram_id: str, version: int) -> VersionOut:
    found = queries.find_version(session, diagram_id, version)
    if found is None:
        raise VersionNotFound
    return found
