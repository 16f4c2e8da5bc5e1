"""What making the application costs."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.dependencies import utils as dependencies

from app.main import create_app
from app.settings import Settings


def test_another_app_of_the_process_works_out_no_endpoint_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_app(Settings())
    worked_out: list[str] = []
    real = dependencies.get_dependant

    def counted(**arguments: Any) -> Any:
        worked_out.append(arguments["path"])
        return real(**arguments)

    monkeypatch.setattr("fastapi.routing.get_dependant", counted)
    application = create_app(Settings())
    assert [path for path in worked_out if path.startswith("/api")] == []
    # It would have been seen.
    application.get("/api/seen")(lambda: None)
    assert worked_out[-1] == "/api/seen"
