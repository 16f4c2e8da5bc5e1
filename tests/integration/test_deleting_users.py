"""What goes with a user and what stays, and that there is always an administrator."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock
from app.admin import service
from app.admin.models import AuditEvent
from app.admin.schemas import Actor
from app.auth.models import ApiKey, PasswordReset
from app.db import engine
from app.db.base import Base
from app.db.session import Database
from app.diagrams.models import Diagram, DiagramText, DiagramVersion
from app.errors import Conflict
from app.organizations.models import Organization
from app.settings import Settings
from app.usage.models import TokenUsage
from app.users.errors import LastAdministrator
from app.users.models import User
from app.users.schemas import UserOut, UserPatch
from tests.people import ALICE, BOB, CHARLIE, ROOT

TABLES: dict[str, type[Base]] = {
    "api_keys": ApiKey,
    "audit_events": AuditEvent,
    "diagram_texts": DiagramText,
    "diagram_versions": DiagramVersion,
    "diagrams": Diagram,
    "password_resets": PasswordReset,
    "token_usage": TokenUsage,
    "users": User,
}


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database(engine.build(settings, name="test", threads=16))
    yield made
    made.close()


def actor(database: Database, user_id: int) -> Actor:
    with database.read() as session:
        return Actor(UserOut.model_validate(session.get(User, user_id)), "127.0.0.1", "a-request")


def furnish(session: Session, user_id: int) -> None:
    """Rows of a user in each table that may have some: two diagrams, one in the trash, with five
    versions together, two keys, three records of usage, an event by the user and one about."""
    now = clock.now()
    content: dict[str, Any] = {"title": "t", "diagram_type": "mind_map", "language": "zh"}
    for at in range(2):
        diagram_id = f"{user_id}-{at}"
        session.add(
            Diagram(
                id=diagram_id,
                user_id=user_id,
                spec={"topic": "t"},
                is_deleted=at == 1,
                created_at=now,
                updated_at=now,
                **content,
            )
        )
        session.flush()
        for version in range(1, 3 + at + 1):
            session.add(
                DiagramVersion(
                    diagram_id=diagram_id, version=version, spec={}, saved_at=now, **content
                )
            )
        session.add(
            DiagramText(diagram_id=diagram_id, content="t", terms=["t"], source_updated_at=now)
        )
        key = ApiKey(
            key_hash=f"{diagram_id:>064}", prefix="mg_", name="k", user_id=user_id, created_at=now
        )
        session.add(key)
        session.flush()
    for _ in range(3):
        session.add(
            TokenUsage(
                user_id=user_id,
                organization_id=1,
                api_key_id=key.id,
                total_tokens=5,
                created_at=now,
            )
        )
    session.add(
        PasswordReset(
            user_id=user_id,
            token_hash=f"{user_id:064}",
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
    )
    for acting, target in ((user_id, "0"), (ROOT.id, str(user_id))):
        session.add(
            AuditEvent(
                at=now,
                actor_id=acting,
                actor=f"login of {acting}",
                action="user.change",
                target_type="user",
                target_id=target,
                details={},
            )
        )


def counts(session: Session) -> dict[str, int]:
    return {
        name: session.scalar(select(func.count()).select_from(table)) or 0
        for name, table in TABLES.items()
    }


def deletion(database: Database, user_id: int) -> dict[str, dict[str, int]]:
    with database.begin() as session:
        return service.delete_user(session, actor(database, ROOT.id), user_id)[0].model_dump()


EXPECTED = {
    "deleted": {"diagrams": 2, "diagram_versions": 7, "documents": 0, "api_keys": 2},
    "kept": {"token_usage": 3, "audit_events": 2},
}


def test_a_deleted_user_takes_along_what_is_said_and_leaves_the_rest(database: Database) -> None:
    with database.begin() as session:
        for user_id in (ALICE.id, BOB.id):
            furnish(session, user_id)
        before = counts(session)
    with database.read() as session:
        preview = service.preview_deletion(session, ALICE.id)
    assert preview.model_dump() == EXPECTED

    assert deletion(database, ALICE.id) == EXPECTED

    with database.read() as session:
        gone = {name: before[name] - number for name, number in counts(session).items()}
        owners = {
            name: set(session.scalars(select(table.__table__.c.user_id)))
            for name, table in TABLES.items()
            if "user_id" in table.__table__.c
        }
        used = session.execute(
            select(
                TokenUsage.total_tokens, TokenUsage.organization_id, TokenUsage.api_key_id
            ).where(TokenUsage.user_id.is_(None))
        ).all()
        acted = session.execute(select(AuditEvent.actor_id, AuditEvent.actor)).all()
    assert gone == {
        "api_keys": 2,
        "audit_events": -1,
        "diagram_texts": 2,
        "diagram_versions": 7,
        "diagrams": 2,
        "password_resets": 1,
        "token_usage": 0,
        "users": 1,
    }
    assert owners == {
        "api_keys": {BOB.id},
        "diagrams": {BOB.id},
        "password_resets": {BOB.id},
        "token_usage": {BOB.id, None},
    }
    assert [tuple(row) for row in used] == [(5, 1, None)] * 3
    assert (None, f"login of {ALICE.id}") in [tuple(row) for row in acted]


def test_a_user_without_anything_can_be_deleted(database: Database) -> None:
    nothing = {
        "deleted": {"diagrams": 0, "diagram_versions": 0, "documents": 0, "api_keys": 0},
        "kept": {"token_usage": 0, "audit_events": 0},
    }
    assert deletion(database, CHARLIE.id) == nothing


def test_the_number_of_a_deleted_user_or_organization_is_not_given_again(
    database: Database,
) -> None:
    """Else the next one would get the sessions and the events of the one before."""
    now = clock.now()
    for make in (
        lambda: User(login="last@x.org", password_hash="-", role="user", created_at=now),
        lambda: Organization(code="last", name="last", created_at=now),
    ):
        ids = []
        for _ in range(3):
            with database.begin() as session:
                row = make()
                session.add(row)
                session.flush()
                ids.append(row.id)
                session.delete(row)
        assert len(set(ids)) == 3


class Oops(Exception):
    pass


def test_a_deletion_that_fails_in_the_end_has_deleted_nothing(database: Database) -> None:
    with database.begin() as session:
        furnish(session, ALICE.id)
        before = counts(session)
    who = actor(database, ROOT.id)

    def delete_and_fail(session: Session) -> None:
        service.delete_user(session, who, ALICE.id)
        raise Oops

    with pytest.raises(Oops), database.begin() as session:
        delete_and_fail(session)
    with database.read() as session:
        assert counts(session) == before


def together(*works: Callable[[], object]) -> list[object]:
    """The results, or errors, of calls that are made at the same time."""
    barrier = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(at: int, work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            results[at] = work()
        except Exception as error:
            results[at] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def promote(database: Database, count: int) -> list[Actor]:
    """As many administrators, instead of those who were there."""
    with database.begin() as session:
        session.execute(delete(User).where(User.id == ROOT.id))
        made = [
            User(login=f"a{at}@x.org", password_hash="-", role="admin", created_at=clock.now())
            for at in range(count)
        ]
        session.add_all(made)
        session.flush()
        ids = [user.id for user in made]
    return [actor(database, user_id) for user_id in ids]


def admins(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(select(User.id).where(User.role == "admin")))


def demote(database: Database, who: Actor, user_id: int) -> object:
    with database.begin() as session:
        return service.change_user(session, who, user_id, UserPatch(role="user"))


def remove(database: Database, who: Actor, user_id: int) -> object:
    with database.begin() as session:
        return service.delete_user(session, who, user_id)[0]


@pytest.mark.parametrize("pair", [(demote, demote), (remove, remove), (demote, remove)])
def test_two_administrators_who_remove_each_other_leave_one(
    database: Database, pair: tuple[Callable[..., object], ...]
) -> None:
    for _ in range(5):
        one, two = promote(database, 2)
        first, second = pair
        results = together(
            lambda: first(database, one, two.user.id),  # noqa: B023
            lambda: second(database, two, one.user.id),  # noqa: B023
        )
        refused = [result for result in results if isinstance(result, Exception)]
        # Whoever was deleted meanwhile can't leave an event either.
        assert [type(error) for error in refused] in ([LastAdministrator], [Conflict])
        assert len(admins(database)) == 1
        with database.begin() as session:
            session.execute(delete(AuditEvent))
            session.execute(delete(User).where(User.id.in_([one.user.id, two.user.id])))


def test_many_who_remove_each_other_at_once_never_leave_none(database: Database) -> None:
    people = promote(database, 8)
    works = [
        lambda who=who, at=at: (demote, remove)[at % 2](database, who, people[(at + 1) % 8].user.id)
        for at, who in enumerate(people)
    ]
    results = together(*works)
    left = admins(database)
    assert len(left) >= 1
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, Conflict) for error in refused), refused
    assert 8 - len(left) == len(results) - len(refused)


def test_a_diagram_that_is_saved_during_the_deletion_goes_or_is_refused(
    database: Database,
) -> None:
    now = clock.now()

    def save(at: int) -> None:
        with database.begin() as session:
            session.add(
                Diagram(
                    id=f"late-{at}",
                    user_id=ALICE.id,
                    title="t",
                    diagram_type="mind_map",
                    spec={},
                    created_at=now,
                    updated_at=now,
                )
            )

    who = actor(database, ROOT.id)
    works: list[Callable[[], object]] = [lambda at=at: save(at) for at in range(6)]  # type: ignore[misc]
    results = together(*works, lambda: remove(database, who, ALICE.id))
    refused = [result for result in results[:-1] if isinstance(result, Exception)]
    assert all(type(error) is Conflict for error in refused), refused
    told = results[-1]
    assert not isinstance(told, Exception), told
    assert told.deleted.diagrams == 6 - len(refused)  # type: ignore[attr-defined]
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Diagram)) == 0
