"""The OpenAPI document against the running service: every answer is one that it describes.

MINDGRAPH_API_EXAMPLES raises the number of requests for each operation and kind.
"""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from app.auth import sessions
from app.cache import client as caches
from app.main import create_app
from app.settings import Settings
from tests import documents
from tests.http.browsers import listening
from tests.openai_server import OpenAIServer
from tests.people import ALICE, ROOT, Person

EXAMPLES = int(os.environ.get("MINDGRAPH_API_EXAMPLES", "8"))
DOCUMENT = create_app(Settings(environment="test")).openapi()
API = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS: list[Any] = [found.ok() for found in API.get_all_operations()]  # type: ignore[union-attr]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# Not a limit on the service: on a busy machine the client's own ten seconds are one.
PATIENCE_S = 120
BUDGET = hypothesis.settings(
    max_examples=EXAMPLES,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def equipped(settings: Settings, operation: Any) -> Iterator[Settings]:
    """Settings of a service that has all that the operation needs to answer."""
    if operation.path not in {"/api/knowledge/answers", "/api/knowledge/search"}:
        yield settings
        return
    with OpenAIServer() as models:
        made = settings.model_copy(update=models.settings)
        with documents.tools(made) as tools:
            for person in (ROOT, ALICE):
                documents.add(tools, person.id, documents.BACKUPS)
            documents.work(tools)
            yield made


@pytest.fixture
def url(equipped: Settings) -> Iterator[str]:
    """The service on a port of its own."""
    with listening(equipped) as url:
        yield url


def kinds() -> Iterator[Any]:
    for operation in OPERATIONS:
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.label} as described")
        # Where nothing can be sent, nothing can be wrong with it.
        if operation.body or list(operation.iter_parameters()):
            yield pytest.param(
                operation, GenerationMode.NEGATIVE, id=f"{operation.label} otherwise"
            )


@pytest.mark.parametrize(("operation", "mode"), list(kinds()))
def test_every_answer_is_a_documented_one(
    operation: Any, mode: GenerationMode, url: str, settings: Settings
) -> None:
    with caches.build(settings) as redis:

        @BUDGET
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            for person in (ROOT, ALICE, None):
                # A new session each time: some operations end it.
                headers = {"cookie": cookie(redis, settings, person)} if person else {}
                answer = case.call(base_url=url, headers=headers, timeout=PATIENCE_S)
                case.validate_response(answer, checks=CHECKS)

        ask()


def cookie(redis: Any, settings: Settings, person: Person) -> str:
    return f"mindgraph_session={sessions.create(redis, settings, person.id)}"


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_error_has_an_example_that_names_it() -> None:
    shown = 0
    for name, operation in operations():
        if "/api/" not in name:
            continue
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            for error, example in response["content"]["application/json"]["examples"].items():
                assert example["value"]["error"] == error, (name, status)
                assert example["value"]["detail"], (name, status, error)
                shown += 1
    assert shown > 100


def test_what_needs_a_login_says_so() -> None:
    """And nothing else has no security."""
    open_to_all = {name for name, operation in operations() if "security" not in operation}
    assert {name for name in open_to_all if "/api/" in name} == OPEN
    for name, operation in operations():
        if name not in open_to_all:
            assert {"401", "403", "429", "503"} <= operation["responses"].keys(), name


OPEN = {
    "POST /api/auth/captcha",
    "POST /api/auth/login",
    "POST /api/auth/logout",
    "POST /api/auth/password-reset",
    "POST /api/auth/register",
}


def test_every_payload_has_examples() -> None:
    """Whoever tries the API in /docs gets something that works."""
    schemas = DOCUMENT["components"]["schemas"]
    for name, operation in operations():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is None or "/api/" not in name:
            continue
        reference = body["schema"].get("$ref", "").rpartition("/")[2]
        fields = schemas.get(reference, {}).get("properties", {})
        required = schemas.get(reference, {}).get("required", [])
        for field in required:
            described = fields[field]
            assert "examples" in described or "example" in body or _is_plain(described), (
                name,
                field,
            )


def _is_plain(field: dict[str, Any]) -> bool:
    """What needs no example: a choice, a number, a flag, a date, or another schema."""
    return bool(
        {"enum", "const", "$ref"} & field.keys()
        or field.get("type") in {"integer", "number", "boolean", "array"}
        or field.get("format") in {"date", "date-time"}
    )
