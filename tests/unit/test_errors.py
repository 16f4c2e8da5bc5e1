import importlib
import json
import pkgutil
from collections.abc import Iterator

import pytest

import app
from app.errors import AppError, Conflict, InternalError, InvalidPayload, TooMany
from app.http.responses import error_response


def every_error() -> Iterator[type[AppError]]:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.startswith(("app.__main__", "app.db.migrations.")):
            importlib.import_module(module.name)
    found = [AppError]
    while found:
        one = found.pop()
        found += one.__subclasses__()
        yield one


ERRORS = list(every_error())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_tells_its_name_and_a_sentence(error: type[AppError]) -> None:
    assert error.__doc__, "the docstring is what the client reads"
    answer = error_response(error())
    body = json.loads(bytes(answer.body))
    assert body == {"error": error.__name__, "detail": error.__doc__.strip()}
    assert body["detail"].endswith(".") or body["detail"][-1].isalnum() or "/" in body["detail"]
    assert answer.status_code == error.status
    assert 400 <= error.status < 600
    assert error.status != 422 or error is InvalidPayload, "422 is for payloads only"


def test_there_are_errors_of_every_feature() -> None:
    names = {error.__name__ for error in ERRORS}
    assert {"DiagramNotFound", "LoginTaken", "OrganizationClosed", "WrongCredentials"} <= names
    assert len(names) == len(ERRORS), "two errors share a name, and clients tell them by it"


def test_a_detail_of_its_own_replaces_the_sentence() -> None:
    error = Conflict("this one is taken")
    assert (str(error), error.detail, error.code) == ("this one is taken",) * 2 + ("Conflict",)


def test_what_may_be_tried_again_says_when() -> None:
    assert error_response(TooMany()).headers["retry-after"] == "60"
    assert "retry-after" not in error_response(Conflict()).headers
    for error in ERRORS:
        if error.status in {429, 503}:
            assert error.retry_after or error.__module__ == "app.db.init", error


def test_a_bug_tells_nothing_of_itself() -> None:
    assert InternalError.status == 500
    assert "request id" in InternalError().detail
