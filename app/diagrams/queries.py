"""Each statement names the owner, so that a stranger finds nothing.

Those of versions and texts name a diagram, which the caller has found to be the owner's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    Table,
    cast,
    column,
    delete,
    func,
    insert,
    or_,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.engine import CursorResult, Row
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from app.db import terms
from app.db.base import Base
from app.diagrams.documents import ExportedDiagram
from app.diagrams.models import IN_TRASH, Diagram, DiagramText, DiagramVersion
from app.diagrams.schemas import (
    DiagramFilter,
    DiagramOut,
    DiagramSummary,
    VersionOut,
    VersionSummary,
)
from app.diagrams.texts import Query

Statement = TypeVar("Statement", bound=Select[Any])

# The full-text index of SQLite, made by the migration.
FTS = table("diagram_texts_fts", column("rowid"), column("diagram_texts_fts"))

# The last row of a page, as far as it is sorted by it.
Position = tuple[bool, datetime, str]


def add(session: Session, values: Mapping[str, Any]) -> None:
    _insert(session, Diagram, values)


def find(session: Session, user_id: int, diagram_id: str) -> DiagramOut | None:
    columns = [getattr(Diagram, name) for name in DiagramOut.model_fields]
    row = session.execute(_one(select(*columns), user_id, diagram_id)).one_or_none()
    return None if row is None else DiagramOut.model_validate(row)


def exists(session: Session, user_id: int, diagram_id: str) -> bool:
    return session.scalar(_one(select(Diagram.id), user_id, diagram_id)) is not None


def find_thumbnail(session: Session, user_id: int, diagram_id: str) -> str | None:
    return session.scalar(_one(select(Diagram.thumbnail), user_id, diagram_id))


def lock(
    session: Session, user_id: int, diagram_id: str, *, in_trash: bool = False
) -> Diagram | None:
    """The diagram as it is now; nobody else changes it until the end of the transaction."""
    # Other rows may still refer to it meanwhile. On SQLite every writer is alone anyway.
    statement = _one(select(Diagram), user_id, diagram_id, in_trash=in_trash)
    return session.scalar(statement.with_for_update(key_share=True))


def lock_version(session: Session, user_id: int, diagram_id: str) -> int | None:
    """As `lock`, for those who need no more than the version."""
    statement = _one(select(Diagram.version), user_id, diagram_id)
    return session.scalar(statement.with_for_update(key_share=True))


def change(session: Session, diagram: Diagram, values: dict[str, Any]) -> None:
    for name, value in values.items():
        # Python takes 1, 1.0 and True for equal, and what is equal would not be written.
        flag_modified(diagram, name)
        setattr(diagram, name, value)
    session.flush()


def pin(session: Session, user_id: int, diagram_id: str, *, pinned: bool) -> None:
    session.execute(
        update(Diagram)
        .where(Diagram.id == diagram_id, Diagram.user_id == user_id)
        .values(is_pinned=pinned)
    )


def count(session: Session, user_id: int, *, in_trash: bool = False) -> int:
    statement = select(func.count()).where(*_owned(user_id, in_trash))
    return session.scalar(statement) or 0


def list_page(
    session: Session,
    user_id: int,
    limit: int,
    before: Position | None,
    *,
    chosen: DiagramFilter | None = None,
    wanted: Query | None = None,
    in_trash: bool = False,
) -> list[DiagramSummary]:
    """Pinned first, then newest first; the big spec stays in the database."""
    columns = [getattr(Diagram, name) for name in DiagramSummary.model_fields]
    statement = select(*columns).where(*_owned(user_id, in_trash))
    if chosen is not None:
        statement = _filtered(statement, chosen)
    if wanted is not None:
        statement = statement.where(_matching(session, user_id, wanted))
    if before is not None:
        statement = statement.where(_after(before, chosen))
    statement = statement.order_by(
        Diagram.is_pinned.desc(), Diagram.updated_at.desc(), Diagram.id.desc()
    ).limit(limit)
    return [DiagramSummary.model_validate(row) for row in session.execute(statement)]


def _after(position: Position, chosen: DiagramFilter | None) -> ColumnElement[bool]:
    if chosen is not None and chosen.pinned is not None:
        # With one value for all in it, SQLite would sort again what the index has in order.
        return tuple_(Diagram.updated_at, Diagram.id) < position[1:]
    return tuple_(Diagram.is_pinned, Diagram.updated_at, Diagram.id) < position


def _filtered(statement: Select[Any], chosen: DiagramFilter) -> Select[Any]:
    if chosen.diagram_type is not None:
        statement = statement.where(Diagram.diagram_type == chosen.diagram_type)
    if chosen.language is not None:
        statement = statement.where(Diagram.language == chosen.language)
    if chosen.pinned is not None:
        statement = statement.where(Diagram.is_pinned.is_(chosen.pinned))
    return statement


def _one(
    statement: Statement, user_id: int, diagram_id: str, *, in_trash: bool = False
) -> Statement:
    return statement.where(Diagram.id == diagram_id, *_owned(user_id, in_trash))


def _owned(user_id: int, in_trash: bool) -> tuple[Any, Any]:
    return Diagram.user_id == user_id, Diagram.is_deleted.is_(in_trash)


def _insert(session: Session, model: type[Base], *rows: Mapping[str, Any]) -> None:
    # Not by the unit of work of the ORM: that takes as long as the statement itself, and nobody
    # asks these objects for anything.
    table = model.__table__
    assert isinstance(table, Table)
    session.connection().execute(insert(table), [*rows])


# The trash


def move_to_trash(session: Session, user_id: int, diagram_id: str, at: datetime) -> None:
    session.execute(
        update(Diagram)
        .where(Diagram.id == diagram_id, Diagram.user_id == user_id)
        .values(is_deleted=True, updated_at=at)
    )


def trim_trash(session: Session, user_id: int, limit: int) -> int:
    """Deletes what has been in somebody's trash for longest, down to `limit`; how many."""
    doomed = (
        select(Diagram.id)
        .where(*_owned(user_id, True))
        .order_by(Diagram.updated_at.desc(), Diagram.id.desc())
        .offset(limit)
    )
    return _deleted(session, delete(Diagram).where(Diagram.id.in_(doomed)))


def purge(session: Session, user_id: int, diagram_id: str) -> bool:
    """Deletes one for good that is in the trash; whether there was one."""
    statement = delete(Diagram).where(Diagram.id == diagram_id, *_owned(user_id, True))
    return _deleted(session, statement) > 0


def empty_trash(session: Session, user_id: int) -> int:
    return _deleted(session, delete(Diagram).where(*_owned(user_id, True)))


def delete_trash(session: Session, older_than: datetime, limit: int) -> int:
    """Deletes up to `limit` diagrams that went into the trash before; how many."""
    # In the index's own words; neither engine knows that a test for true means the same.
    old = (IN_TRASH, Diagram.updated_at < older_than)
    doomed = select(Diagram.id).where(*old).limit(limit)
    # Once more, as each is deleted: it may have been restored since they were selected.
    return _deleted(session, delete(Diagram).where(Diagram.id.in_(doomed), *old))


def _deleted(session: Session, statement: Delete) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount


# Versions


def keep_version(session: Session, diagram_id: str, values: Mapping[str, Any], limit: int) -> None:
    """Adds an earlier state and deletes the oldest beyond `limit`."""
    _insert(session, DiagramVersion, {"diagram_id": diagram_id, **values})
    of_diagram = DiagramVersion.diagram_id == diagram_id
    kept = (
        select(DiagramVersion.version)
        .where(of_diagram)
        .order_by(DiagramVersion.version.desc())
        .limit(limit)
    )
    _deleted(session, delete(DiagramVersion).where(of_diagram, DiagramVersion.version.not_in(kept)))


def list_versions(session: Session, diagram_id: str) -> list[VersionSummary]:
    """Newest first."""
    columns = [getattr(DiagramVersion, name) for name in VersionSummary.model_fields]
    statement = (
        select(*columns)
        .where(DiagramVersion.diagram_id == diagram_id)
        .order_by(DiagramVersion.version.desc())
    )
    return [VersionSummary.model_validate(row) for row in session.execute(statement)]


def find_version(session: Session, diagram_id: str, version: int) -> VersionOut | None:
    columns = [getattr(DiagramVersion, name) for name in VersionOut.model_fields]
    statement = select(*columns).where(
        DiagramVersion.diagram_id == diagram_id, DiagramVersion.version == version
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else VersionOut.model_validate(row)


def read_versions(session: Session, diagram_id: str) -> list[VersionOut]:
    """Newest first, with their specs."""
    columns = [getattr(DiagramVersion, name) for name in VersionOut.model_fields]
    statement = (
        select(*columns)
        .where(DiagramVersion.diagram_id == diagram_id)
        .order_by(DiagramVersion.version.desc())
    )
    return [VersionOut.model_validate(row) for row in session.execute(statement)]


def add_versions(session: Session, versions: Sequence[Mapping[str, Any]]) -> None:
    if versions:
        _insert(session, DiagramVersion, *versions)


# A user's everything


def list_ids(session: Session, user_id: int, after: str, limit: int) -> Sequence[str]:
    """The ids above `after`, in order, those in the trash too."""
    statement = select(Diagram.id).where(Diagram.user_id == user_id, Diagram.id > after)
    return session.scalars(statement.order_by(Diagram.id).limit(limit)).all()


def find_stored(session: Session, user_id: int, diagram_id: str) -> ExportedDiagram | None:
    """All but the versions, in the trash too."""
    columns = [
        getattr(Diagram, name) for name in ExportedDiagram.model_fields if name != "versions"
    ]
    statement = select(*columns).where(Diagram.id == diagram_id, Diagram.user_id == user_id)
    row = session.execute(statement).one_or_none()
    return None if row is None else ExportedDiagram.model_validate(row)


def find_owner(session: Session, diagram_id: str) -> int | None:
    """Whose diagram has this id, which may be a stranger's: an id can be given only once."""
    return session.scalar(select(Diagram.user_id).where(Diagram.id == diagram_id))


def count_versions(session: Session, user_id: int) -> int:
    statement = select(func.count()).select_from(DiagramVersion).join(Diagram)
    return session.scalar(statement.where(Diagram.user_id == user_id)) or 0


def delete_all_of(session: Session, user_id: int) -> int:
    return _deleted(session, delete(Diagram).where(Diagram.user_id == user_id))


# Texts


def add_text(session: Session, diagram_id: str, values: Mapping[str, Any]) -> None:
    _insert(session, DiagramText, {"diagram_id": diagram_id, **values})


def save_text(session: Session, diagram_id: str, values: Mapping[str, Any]) -> None:
    """Replaces the text of a diagram, or adds it where there is none."""
    table = DiagramText.__table__
    assert isinstance(table, Table)
    changed = session.connection().execute(
        update(table).where(table.c.diagram_id == diagram_id).values(values)
    )
    if changed.rowcount == 0:
        add_text(session, diagram_id, values)


def forget_text(session: Session, diagram_id: str) -> None:
    _deleted(session, delete(DiagramText).where(DiagramText.diagram_id == diagram_id))


def list_stale(session: Session, after: str, limit: int) -> Sequence[Row[Any]]:
    """Diagrams above the id `after` without a text that is of their last change, in order."""
    columns = (Diagram.id, Diagram.user_id, Diagram.title, Diagram.spec, Diagram.updated_at)
    statement = (
        select(*columns)
        .outerjoin(DiagramText, DiagramText.diagram_id == Diagram.id)
        .where(Diagram.id > after, Diagram.is_deleted.is_(False))
        .where(
            or_(
                DiagramText.source_updated_at.is_(None),
                DiagramText.source_updated_at != Diagram.updated_at,
            )
        )
    )
    return session.execute(statement.order_by(Diagram.id).limit(limit)).all()


def lock_current(session: Session, ids: Sequence[str]) -> dict[str, datetime]:
    """When each of these was changed last; nobody changes them until the transaction's end."""
    statement = (
        select(Diagram.id, Diagram.updated_at)
        .where(Diagram.id.in_(ids), Diagram.is_deleted.is_(False))
        # All lock them in one order, so that nobody waits in a circle.
        .order_by(Diagram.id)
        .with_for_update(key_share=True)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _matching(session: Session, user_id: int, wanted: Query) -> ColumnElement[bool]:
    """Diagrams whose text has all that is looked for."""
    required = (terms.of_owner(user_id), *wanted.terms)
    if session.connection().dialect.name == "postgresql":
        query = cast(terms.as_tsquery(required, wanted.prefixes), TSQUERY)
        found = DiagramText.terms.bool_op("@@")(query)
    else:
        match = FTS.c[FTS.name].op("MATCH")(terms.as_fts_query(required, wanted.prefixes))
        found = DiagramText.id.in_(select(FTS.c.rowid).where(match))
    # The terms of a phrase may be there in another order.
    phrases = (DiagramText.content.contains(one, autoescape=True) for one in wanted.phrases)
    return Diagram.id.in_(select(DiagramText.diagram_id).where(found, *phrases))
