"""What is common to responses: the shape of an error, {"error": "NameOfIt", "detail": ...}."""

from typing import Any

from fastapi.responses import JSONResponse

from app.errors import AppError

# A name in a request's state for headers that its response gets, whatever it will be.
RESPONSE_HEADERS = "response_headers"


def error_response(error: AppError) -> JSONResponse:
    headers = dict(error.headers)
    if error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(body_of(error), status_code=error.status, headers=headers)


def body_of(error: AppError) -> dict[str, Any]:
    return {"error": error.code, "detail": error.detail, **error.more}
