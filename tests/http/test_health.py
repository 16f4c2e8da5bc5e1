import json
from io import StringIO

import pytest

import app
from app.db import migrations
from app.settings import Settings
from tests.databases import Backend, on_postgresql
from tests.http.browsers import Browser, Service, serving


def not_ready(settings: Settings) -> dict[str, str]:
    """What a service that isn't ready says, by the name of what is down."""
    with serving(settings) as service:
        assert service.browser().get("/healthz").status_code == 200
        answer = service.browser().get("/readyz")
    assert answer.status_code == 503
    body = answer.json()
    assert body["ready"] is False
    problems = {name: one["problem"] for name, one in body["services"].items() if not one["ok"]}
    assert sorted(problems) == sorted(body["down"])
    return problems


def test_it_is_alive(anybody: Browser) -> None:
    assert anybody.get("/healthz").json() == {"status": "ok", "version": app.__version__}


def test_it_is_ready_and_names_the_version_and_latency_of_each_service(
    anybody: Browser, backend: Backend
) -> None:
    answer = anybody.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["ready"], body["down"]) == (True, [])
    versions = {name: one["version"] for name, one in body["services"].items()}
    assert versions.pop("database").startswith(f"{backend} ")
    assert versions.pop("schema") == migrations.head()
    assert versions.pop("redis").split(" ")[0] in {"redis", "valkey"}
    assert versions.pop("qdrant")
    assert versions == {}
    assert all(one["ms"] >= 0 for one in body["services"].values())


def test_a_database_without_a_schema_is_named(empty: Settings) -> None:
    problems = not_ready(empty)
    assert list(problems) == ["schema"]
    assert "mindgraph init-db" in problems["schema"]


def test_a_dead_database_is_named(settings: Settings, backend: Backend, closed_port: int) -> None:
    if backend == "sqlite":
        # A folder can't be opened as a database.
        change: dict[str, object] = {"data_dir": settings.data_dir / "elsewhere"}
        (settings.data_dir / "elsewhere/mindgraph.db").mkdir(parents=True)
    else:
        change = {"database_port": closed_port}
    assert sorted(not_ready(settings.model_copy(update=change))) == ["database", "schema"]


def test_a_dead_redis_is_named(settings: Settings, closed_port: int) -> None:
    problems = not_ready(settings.model_copy(update={"redis_port": closed_port}))
    assert list(problems) == ["redis"]


def test_a_wrong_password_of_redis_is_named(settings: Settings) -> None:
    wrong = settings.model_copy(update={"redis_password": None})
    assert list(not_ready(wrong)) == ["redis"]


@on_postgresql
def test_a_dead_qdrant_is_named(settings: Settings, closed_port: int) -> None:
    change = {"qdrant_url": f"http://127.0.0.1:{closed_port}"}
    assert list(not_ready(settings.model_copy(update=change))) == ["qdrant"]


@on_postgresql
def test_a_wrong_key_of_qdrant_is_named(settings: Settings) -> None:
    wrong = settings.model_copy(update={"qdrant_api_key": None})
    assert list(not_ready(wrong)) == ["qdrant"]


def test_a_request_id_is_made_where_none_is_given(anybody: Browser) -> None:
    made = {anybody.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert all(len(one) == 32 for one in made)


def test_a_good_request_id_is_kept(anybody: Browser) -> None:
    answer = anybody.get("/healthz", headers={"x-request-id": "proxy-1234-abcd"})
    assert answer.headers["x-request-id"] == "proxy-1234-abcd"


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "has space", 'say "hi" now', "é" * 10])
def test_a_bad_request_id_is_replaced(anybody: Browser, given: str) -> None:
    answer = anybody.get("/healthz", headers={"x-request-id": given.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/api/auth/me", "/api/diagrams"])
def test_every_answer_has_the_security_headers(anybody: Browser, path: str) -> None:
    headers = anybody.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "x-request-id" in headers


def test_errors_of_the_framework_have_the_shape_of_all_others(anybody: Browser) -> None:
    assert anybody.get("/nowhere").json() == {"error": "NotFound", "detail": "Not Found"}
    answer = anybody.request("PATCH", "/healthz")
    assert (answer.status_code, answer.json()["error"]) == (405, "MethodNotAllowed")


def test_a_bug_is_a_500_that_tells_nothing_and_a_line_in_the_log(
    service: Service, said: StringIO
) -> None:
    def break_down() -> None:
        raise RuntimeError("secret inside")

    service.app.add_api_route("/broken", break_down)
    answer = service.browser().get("/broken")
    assert answer.status_code == 500
    assert answer.json()["error"] == "InternalError"
    assert "secret inside" not in answer.text
    assert "x-request-id" in answer.headers
    [line] = [json.loads(line) for line in said.getvalue().split("\n") if "a bug" in line]
    assert "secret inside" in line["exception"]
    assert line["request_id"] == answer.headers["x-request-id"]
