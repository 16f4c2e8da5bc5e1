"""The people whom every test database knows."""

from dataclasses import dataclass

from pydantic import SecretStr

from app.auth import service as accounts
from app.auth.schemas import Registration
from app.db import engine
from app.db.session import Database
from app.ops import users
from app.settings import Settings

PASSWORD = "correct horse 电池 staple"


@dataclass(frozen=True)
class Person:
    id: int
    login: str
    name: str
    invitation_code: str | None


# The ids are those of the order in which they register.
ALICE = Person(1, "alice@school.org", "爱丽丝 👩‍🏫", "DEMO-A1B2C")
BOB = Person(2, "bob@school.org", "Bob", "DEMO-A1B2C")
CHARLIE = Person(3, "charlie@springfield.org", "Charlie", "SPRN-9K2L1")
ROOT = Person(4, "root@mindgraph.org", "Root", None)


def settle(settings: Settings) -> None:
    """Registers everybody in a database that `init_db` has prepared, by the service's own means."""
    database = Database(engine.build(settings, name="people", threads=1))
    try:
        for person in (ALICE, BOB, CHARLIE):
            assert person.invitation_code
            registration = Registration(
                login=person.login,
                password=SecretStr(PASSWORD),
                name=person.name,
                invitation_code=person.invitation_code,
            )
            assert accounts.register(database, registration).id == person.id
        assert users.create_admin(database, ROOT.login, PASSWORD, ROOT.name).id == ROOT.id
    finally:
        database.close()
