from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
import redis
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import select, text, update

from app.auth import passwords, service
from app.auth.errors import WrongCredentials
from app.auth.schemas import Credentials
from app.db.session import Database
from app.settings import Settings
from app.users import queries
from app.users import service as users
from app.users.models import BCRYPT, User
from tests.databases import Backend
from tests.people import ALICE, BOB, PASSWORD, Person

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def bcrypt_of(password: str, prefix: str = "$2b$") -> str:
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    return prefix + made.removeprefix("$2b$")


def give_hash(database: Database, person: Person, password_hash: str) -> None:
    with database.begin() as session:
        session.execute(
            update(User).where(User.id == person.id).values(password_hash=password_hash)
        )


def hash_of(database: Database, person: Person) -> str:
    with database.read() as session:
        return session.scalars(select(User.password_hash).where(User.id == person.id)).one()


class Door:
    """Where people log in, and what was verified there."""

    def __init__(self, database: Database, cache: redis.Redis, settings: Settings) -> None:
        self._with = (database, cache, settings)
        self.verified: list[str] = []

    def enter(self, login: str, password: str = PASSWORD) -> int:
        credentials = Credentials(login=login, password=SecretStr(password))
        return service.log_in(*self._with, credentials)[0].id

    def refuse(self, login: str) -> list[str]:
        """The kinds of the verifications that a refusal takes."""
        self.verified.clear()
        with pytest.raises(WrongCredentials):
            self.enter(login, "not the password")
        return sorted(self.verified)


@pytest.fixture
def door(
    database: Database, cache: redis.Redis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Door:
    made = Door(database, cache, settings)
    argon2, other = passwords._matches_argon2, passwords._matches_bcrypt

    def with_argon2(password: str, password_hash: str) -> bool:
        made.verified.append("argon2")
        return argon2(password, password_hash)

    def with_bcrypt(password: str, password_hash: str) -> bool:
        made.verified.append("bcrypt")
        return other(password, password_hash)

    monkeypatch.setattr(passwords, "_matches_argon2", with_argon2)
    monkeypatch.setattr(passwords, "_matches_bcrypt", with_bcrypt)
    return made


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_a_bcrypt_hash_lets_its_owner_in_and_becomes_argon2id(
    door: Door, database: Database, prefix: str
) -> None:
    give_hash(database, ALICE, bcrypt_of(PASSWORD, prefix))
    assert door.enter(ALICE.login) == ALICE.id
    assert hash_of(database, ALICE).startswith("$argon2id$")
    door.verified.clear()
    assert door.enter(ALICE.login) == ALICE.id
    assert door.verified == ["argon2"]


def test_a_bcrypt_hash_of_a_long_password_is_one_of_its_first_72_bytes(
    door: Door, database: Database
) -> None:
    long = "长" * 40
    give_hash(database, ALICE, bcrypt_of(long))
    with pytest.raises(WrongCredentials):
        door.enter(ALICE.login, long[:23])
    assert door.enter(ALICE.login, long) == ALICE.id
    # From now on all of it counts.
    with pytest.raises(WrongCredentials):
        door.enter(ALICE.login, long[:24])


def test_an_argon2_hash_of_other_parameters_is_renewed(door: Door, database: Database) -> None:
    give_hash(database, ALICE, WEAK.hash(PASSWORD))
    assert door.enter(ALICE.login) == ALICE.id
    renewed = hash_of(database, ALICE)
    assert not passwords.is_outdated(renewed)
    assert door.enter(ALICE.login) == ALICE.id
    assert hash_of(database, ALICE) == renewed


def test_a_wrong_password_renews_nothing(door: Door, database: Database) -> None:
    old = bcrypt_of(PASSWORD)
    give_hash(database, ALICE, old)
    assert door.refuse(ALICE.login)
    assert hash_of(database, ALICE) == old


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(database: Database) -> None:
    old = bcrypt_of(PASSWORD)
    give_hash(database, ALICE, old)
    with database.begin() as session:
        users.set_password(session, ALICE.id, "changed")
    with database.begin() as session:
        users.upgrade_hash(session, ALICE.id, old, "upgraded")
    assert hash_of(database, ALICE) == "changed"


def test_whoever_was_checked_against_an_old_password_does_not_enter(
    door: Door, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = passwords.matches

    def change_after(password: str, password_hash: str) -> bool:
        right = verify(password, password_hash)
        with database.begin() as session:
            users.set_password(session, ALICE.id, bcrypt_of("another one"))
        return right

    monkeypatch.setattr(passwords, "matches", change_after)
    with pytest.raises(WrongCredentials):
        door.enter(ALICE.login)


def test_parallel_logins_with_an_old_hash_all_succeed(door: Door, database: Database) -> None:
    give_hash(database, ALICE, bcrypt_of(PASSWORD))
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: door.enter(ALICE.login), range(4))) == {ALICE.id}
    assert hash_of(database, ALICE).startswith("$argon2id$")


UNREADABLE = "!"


@pytest.mark.parametrize("login", [ALICE.login, BOB.login, "nobody@school.org"])
def test_a_refusal_takes_one_verification_whoever_is_asked_for(
    door: Door, database: Database, login: str
) -> None:
    assert door.refuse(login) == ["argon2"]
    give_hash(database, BOB, UNREADABLE)
    assert door.refuse(login) == ["argon2"]


@pytest.mark.parametrize("login", [ALICE.login, BOB.login, "nobody@school.org"])
def test_a_refusal_takes_one_of_each_kind_while_anybody_has_a_bcrypt_hash(
    door: Door, database: Database, login: str
) -> None:
    give_hash(database, ALICE, bcrypt_of(PASSWORD))
    assert door.refuse(login) == ["argon2", "bcrypt"]
    door.enter(ALICE.login)
    assert door.refuse(login) == ["argon2"]


def test_nobody_has_the_hashes_of_everybodys_cost() -> None:
    assert not passwords.is_outdated(passwords.NOBODY_ARGON2)
    assert passwords.NOBODY_BCRYPT.startswith("$2b$12$")
    for nobody in (passwords.NOBODY_ARGON2, passwords.NOBODY_BCRYPT):
        assert not passwords.matches("", nobody)


@given(
    password=st.text(max_size=80),
    password_hash=st.one_of(
        st.text(max_size=80),
        st.builds(
            str.__add__,
            st.sampled_from(["$2b$", "$2b$04$", "$2a$99$", "$argon2id$", "$argon2id$v=19$m=8,t=1"]),
            st.text(max_size=60),
        ),
    ),
)
def test_no_password_and_no_damaged_hash_breaks_it(password: str, password_hash: str) -> None:
    assert not passwords.matches(password, password_hash)


def test_the_search_for_bcrypt_hashes_goes_by_its_index(
    database: Database, backend: Backend
) -> None:
    with database.begin() as session:
        assert not queries.exists_bcrypt(session)
        statement = select(User.id).where(BCRYPT).limit(1)
        plain = str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        if backend == "postgresql":
            # The table is so small that to read all of it is cheaper.
            session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN " if backend == "postgresql" else "EXPLAIN QUERY PLAN "
        plan = session.connection().exec_driver_sql(explain + plain).all()
    assert "ix_users_bcrypt" in str(plan)
