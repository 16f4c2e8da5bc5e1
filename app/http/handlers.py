"""Turns errors into responses of one shape; see responses.py."""

import structlog
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.cache.limits import RateLimited
from app.errors import AppError
from app.http import limiting
from app.http.responses import error_response

log = structlog.get_logger(__name__)

HTTP_NAMES = {
    400: "InvalidInput",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
}


async def on_app_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)
    if error.status >= 500:
        log.warning(
            "request failed", error=error.code, path=request.url.path, reason=repr(error.__cause__)
        )
    return error_response(error)


async def on_invalid_payload(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        try:
            await run_in_threadpool(limiting.count_unread, request)
        except RateLimited as refusal:
            return error_response(refusal)
    problems = [
        {"where": [*problem["loc"]], "problem": problem["msg"]} for problem in error.errors()
    ]
    body = {"error": "InvalidPayload", "detail": jsonable_encoder(problems)}
    return JSONResponse(body, status_code=422)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    name = HTTP_NAMES.get(error.status_code, "HttpError")
    body = {"error": name, "detail": error.detail}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


def install(app: FastAPI) -> None:
    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(RequestValidationError, on_invalid_payload)
    app.add_exception_handler(HTTPException, on_http_error)
