"""The errors of each endpoint in the OpenAPI document, with an example of each."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from app.cache.client import RedisUnavailable
from app.cache.limits import RateLimited
from app.db.session import DatabaseBusy, DatabaseUnavailable
from app.errors import AppError, InvalidInput, PayloadTooLarge
from app.http.origins import CrossSiteRequest
from app.http.responses import body_of

ERROR = {"$ref": "#/components/schemas/ErrorBody"}
INVALID_PAYLOAD = {
    "description": "InvalidPayload",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/InvalidPayload"},
            "examples": {
                "InvalidPayload": {
                    "value": {
                        "error": "InvalidPayload",
                        "detail": [{"where": ["body", "title"], "problem": "Field required"}],
                    }
                }
            },
        }
    },
}

Responses = dict[int | str, dict[str, Any]]

UNSAFE = ("post", "put", "patch", "delete")
EVERYWHERE: tuple[type[AppError], ...] = (
    DatabaseBusy,
    DatabaseUnavailable,
    RateLimited,
    RedisUnavailable,
)
WITH_BODY: tuple[type[AppError], ...] = (InvalidInput, PayloadTooLarge)


class ErrorBody(BaseModel):
    """`error` names the error for programs, `detail` tells people; some errors say more."""

    model_config = ConfigDict(extra="allow")

    error: str
    detail: str


class Problem(BaseModel):
    """`where` leads to the part of the request that can't be used."""

    where: list[str | int]
    problem: str


class InvalidPayload(BaseModel):
    """Parts of the request can't be used."""

    error: str
    detail: list[Problem]


Error = AppError | type[AppError]


def raises(*errors: Error) -> Responses:
    """For `responses=` of a route: what it can answer besides success."""
    found: dict[str, dict[str, Any]] = {}
    for error in errors:
        _add(found, error)
    return {int(status): response for status, response in found.items()}


def install(app: FastAPI, *, to_callers: Sequence[Error]) -> None:
    """Adds to the app's OpenAPI document what many endpoints can answer.

    Args:
        app: with all its routes.
        to_callers: errors of each endpoint that wants to know who is asking.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain(), to_callers)
        return plain()

    # FastAPI's own way to extend the document.
    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any], to_callers: Sequence[Error]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas |= models_json_schema(
        [(ErrorBody, "validation"), (InvalidPayload, "validation")],
        ref_template="#/components/schemas/{model}",
    )[1]["$defs"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/api"):
                _complete_operation(method, operation, to_callers)


def _complete_operation(
    method: str, operation: dict[str, Any], to_callers: Sequence[Error]
) -> None:
    responses = operation["responses"]
    also: list[Error] = list(EVERYWHERE)
    if method in UNSAFE:
        also.append(CrossSiteRequest)
    if "requestBody" in operation:
        also += WITH_BODY
    if "security" in operation:
        also += to_callers
    # FastAPI describes its own body for 422, which this service doesn't send.
    if "422" in responses:
        responses["422"] = INVALID_PAYLOAD
    for error in also:
        _add(responses, error)
    operation["responses"] = dict(sorted(responses.items()))


def _add(responses: dict[str, dict[str, Any]], error: Error) -> None:
    shown = error if isinstance(error, AppError) else error()
    response = responses.setdefault(str(shown.status), {"description": "", "content": {}})
    json = response["content"].setdefault("application/json", {"schema": ERROR, "examples": {}})
    examples = json.setdefault("examples", {})
    examples[shown.code] = {"value": body_of(shown)}
    response["description"] = ", ".join(sorted(examples))
