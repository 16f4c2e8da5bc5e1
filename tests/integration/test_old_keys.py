"""Keys from before PostgreSQL, which act for nobody until each gets an account."""

from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select

from app.auth.key_schemas import SCOPES
from app.auth.models import ApiKey
from app.db.session import Database
from app.ops import old_keys
from app.settings import Settings
from app.users import service as users
from app.users.models import User
from tests import usage
from tests.http.browsers import serving
from tests.people import ALICE, PASSWORD

SECRET = "mg_an-old-key"


def old_key(database: Database, name: str = "Dify", **values: object) -> int:
    """One as an import leaves it; its id."""
    made = ApiKey(
        key_hash=sha256(f"{SECRET}{name}".encode()).hexdigest(),
        prefix=SECRET[:10],
        name=name,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        **values,
    )
    with database.begin() as session:
        session.add(made)
        session.flush()
        return made.id


def owner_of(database: Database, key_id: int) -> User | None:
    with database.read() as session:
        return session.scalar(
            select(User).join(ApiKey, ApiKey.user_id == User.id).where(ApiKey.id == key_id)
        )


def test_a_key_gets_an_account_in_its_organization(database: Database) -> None:
    number = old_key(database, organization_id=usage.SCHOOL)
    (said,) = old_keys.adopt(database)
    assert said == (
        f"the API key mg_an-old-... (Dify) now acts for an account of its own, "
        f"key-{number}@api-key.invalid"
    )
    owner = owner_of(database, number)
    assert owner
    assert (owner.name, owner.role, owner.organization_id) == ("Dify", "user", usage.SCHOOL)
    with database.read() as session:
        key = session.get_one(ApiKey, number)
        assert set(key.scopes.split()) == set(SCOPES)


def test_a_key_of_nobody_gets_an_account_without_an_organization(database: Database) -> None:
    number = old_key(database)
    old_keys.adopt(database)
    owner = owner_of(database, number)
    assert owner
    assert owner.organization_id is None


def test_a_second_time_nothing_is_left_to_do(database: Database) -> None:
    numbers = [old_key(database, name) for name in ("a", "b")]
    assert len(old_keys.adopt(database)) == 2
    owners = [owner_of(database, number) for number in numbers]
    assert old_keys.adopt(database) == []
    again = [owner_of(database, number) for number in numbers]
    assert [one and one.id for one in again] == [one and one.id for one in owners]


def test_keys_that_belong_to_somebody_are_left_alone(database: Database) -> None:
    number = old_key(database, user_id=ALICE.id, scopes="usage:write")
    assert old_keys.adopt(database) == []
    with database.read() as session:
        key = session.get_one(ApiKey, number)
        assert (key.user_id, key.scopes) == (ALICE.id, "usage:write")


def test_a_login_that_is_taken_is_not_taken_over(database: Database) -> None:
    number = old_key(database)
    taken = [f"key-{number}@api-key.invalid", f"key-{number}-1@api-key.invalid"]
    with database.begin() as session:
        for login in taken:
            users.create(session, login=login, password_hash="x", name="n", organization_id=None)
    old_keys.adopt(database)
    owner = owner_of(database, number)
    assert owner
    assert owner.login == f"key-{number}-2@api-key.invalid"


def test_nobody_can_log_in_to_such_an_account(settings: Settings, database: Database) -> None:
    number = old_key(database)
    old_keys.adopt(database)
    with serving(settings) as service:
        for password in (PASSWORD, SECRET + "Dify"):
            account = {"login": f"key-{number}@api-key.invalid", "password": password}
            assert service.browser().post("/api/auth/login", json=account).status_code == 401
