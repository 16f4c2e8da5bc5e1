import pytest

from app.settings import Settings
from tests import commands
from tests.http.browsers import serving
from tests.people import PASSWORD

LOGIN = "head@school.org"


def create_admin(settings: Settings, *arguments: str, typed: str) -> tuple[int, str, str]:
    environ = commands.environment_of(settings)
    done = commands.run("users", "create-admin", *arguments, environ=environ, typed=typed)
    return done.returncode, done.stdout, done.stderr


def test_an_administrator_made_by_the_command_can_log_in(settings: Settings) -> None:
    # As long as the login form takes.
    password = "密码 with spaces & '\"$" + "x" * 107
    code, _, complained = create_admin(settings, LOGIN, "--name", "校长", typed=f"{password}\n")
    assert (code, complained) == (0, "")
    with serving(settings) as service:
        payload = {"login": LOGIN, "password": password}
        answer = service.browser().post("/api/auth/login", json=payload)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["role"], answer.json()["name"]) == ("admin", "校长")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("arguments", "typed", "complaint"),
    [
        ([LOGIN], "x" * 129, "the password can't be used"),
        ([LOGIN, "--name", "n" * 101], PASSWORD, "the name can't be used"),
    ],
    ids=["password", "name"],
)
def test_what_the_service_itself_would_refuse_is_refused(
    settings: Settings, arguments: list[str], typed: str, complaint: str
) -> None:
    code, said, complained = create_admin(settings, *arguments, typed=typed)
    assert (code, said) == (1, "")
    assert complaint in complained
    assert complained.count("\n") == 1
    assert typed not in complained


def test_an_administrator_needs_a_prepared_database(empty: Settings) -> None:
    code, _, complained = create_admin(empty, LOGIN, typed=f"{PASSWORD}\n")
    assert code == 1
    assert "run `mindgraph init-db`" in complained
    assert complained.count("\n") == 1
