"""GET /metrics in this process: who may read it, and what it tells."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

import app
from app.settings import Settings
from tests.databases import on_postgresql
from tests.http.browsers import Browser, Service, serving
from tests.http.test_api_keys import bearer
from tests.http.test_api_keys import make as make_key
from tests.http.test_diagrams import save
from tests.http.uploads import upload
from tests.people import ROOT

TOKEN = "a-token-of-thirty-two-characters"
OBSERVED = "mindgraph_observation_success"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"metrics_token": SecretStr(TOKEN), "revision": "4711abc"})


def read(browser: Browser) -> Samples:
    answer = browser.get("/metrics", headers=bearer(TOKEN))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """0 for a counter that nothing was counted in yet."""
    return samples.get((name, frozenset(labels.items())), 0.0)


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples}


# Who may read it


@pytest.mark.parametrize(
    "given",
    [
        {},
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        bearer(TOKEN.upper()),
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer é".encode("latin-1")},
    ],
)
def test_without_the_token_nothing_is_told(anybody: Browser, given: dict[str, str]) -> None:
    answer = anybody.get("/metrics", headers=given)
    assert (answer.status_code, answer.json()["error"]) == (401, "WrongToken")


def test_neither_a_login_nor_a_key_will_do(service: Service, root: Browser) -> None:
    assert root.get("/metrics").status_code == 401
    key = make_key(root)["key"]
    assert service.browser().get("/metrics", headers=bearer(key)).status_code == 401


def test_where_no_token_is_set_there_is_no_such_page(settings: Settings) -> None:
    with serving(settings.model_copy(update={"metrics_token": None})) as service:
        for headers in ({}, bearer(""), bearer(TOKEN), bearer("None")):
            answer = service.browser().get("/metrics", headers=headers)
            assert answer.status_code == 404
            assert answer.json() == {"error": "NotFound", "detail": "Not Found"}


def test_it_is_not_in_the_document_of_the_api(service: Service) -> None:
    assert "/metrics" not in service.app.openapi()["paths"]


def test_it_is_not_limited(settings: Settings) -> None:
    with serving(settings.model_copy(update={"rate_limits": True})) as service:
        answer = service.browser().get("/metrics", headers=bearer(TOKEN))
    assert "ratelimit" not in answer.headers


# What is counted


def test_a_request_is_counted_by_the_template_of_its_route(anybody: Browser, root: Browser) -> None:
    before = read(anybody)
    for number in range(3):
        root.get(f"/api/admin/users/{ROOT.id + 1000 + number}")
    after = read(anybody)
    labels = {"method": "GET", "route": "/api/admin/users/{user_id}", "status": "404"}
    for name in ("http_requests_total", "http_request_duration_seconds_count"):
        assert value(after, name, **labels) - value(before, name, **labels) == 3


def test_what_the_front_cache_answers_is_counted_as_the_route_that_it_answers_for(
    anybody: Browser, alice: Browser
) -> None:
    path = f"/api/diagrams/{save(alice)}"
    alice.get(path)
    labels = {"method": "GET", "route": "/api/diagrams/{diagram_id}", "status": "200"}
    before = value(read(anybody), "http_requests_total", **labels)
    for _ in range(3):
        assert alice.get(path).status_code == 200
    assert value(read(anybody), "http_requests_total", **labels) - before == 3


def test_what_has_no_route_makes_no_series_of_its_own(anybody: Browser) -> None:
    before = methods(read(anybody))
    for path in ("/nowhere", "/wp-login.php", "/api/nowhere/5", "/api/auth/me/"):
        anybody.get(path)
    anybody.request("BREW", "/nowhere")
    anybody.request("BREW", "/healthz")
    samples = read(anybody)
    routes = {dict(labels).get("route") for _, labels in samples}
    assert not {"/nowhere", "/wp-login.php", "/api/nowhere/5", "/api/auth/me/"} & routes
    assert value(samples, "http_requests_total", method="GET", route="none", status="404") >= 3
    assert value(samples, "http_requests_total", method="other", route="none", status="404") >= 1
    # All services of one process count together, so other tests may have brought more of them.
    assert methods(samples) - before <= {"GET", "other"}


def methods(samples: Samples) -> set[str]:
    return {dict(labels)["method"] for _, labels in samples if "method" in dict(labels)}


def test_every_route_that_is_shown_is_one_of_the_service(service: Service, root: Browser) -> None:
    for path in ("/api/diagrams", "/api/diagrams/5", "/docs", "/openapi.json", "/readyz"):
        root.get(path)
    routes = {dict(labels)["route"] for _, labels in read(root) if "route" in dict(labels)}
    known = {*service.app.openapi()["paths"], "/docs", "/metrics", "/openapi.json", "none"}
    assert routes <= known | {route for route in routes if route.startswith("/docs")}
    assert {"/api/diagrams", "/api/diagrams/{diagram_id}", "/docs", "/readyz"} <= routes


def test_the_request_that_reads_it_is_the_one_in_progress(anybody: Browser) -> None:
    assert value(read(anybody), "http_requests_in_progress") == 1
    assert value(read(anybody), "http_requests_in_progress") == 1


def test_a_copy_that_is_there_is_a_hit(alice: Browser, anybody: Browser) -> None:
    before = read(anybody)
    alice.get("/api/auth/me")
    alice.get("/api/auth/me")
    after = read(anybody)
    for result in ("hit", "miss"):
        labels = {"kind": "users", "result": result}
        assert value(after, "mindgraph_cache_lookups_total", **labels) > value(
            before, "mindgraph_cache_lookups_total", **labels
        )


def test_a_refused_request_is_counted_by_its_rule(settings: Settings) -> None:
    with serving(settings.model_copy(update={"rate_limits": True})) as service:
        browser = service.browser()
        before = read(browser)
        answers = [browser.post("/api/auth/captcha").status_code for _ in range(125)]
        after = read(browser)
    refused = answers.count(429)
    assert refused
    name = "mindgraph_rate_limit_refusals_total"
    assert value(after, name, rule="captcha") - value(before, name, rule="captcha") == refused


@on_postgresql
def test_connections_of_the_pool_are_told(anybody: Browser, alice: Browser) -> None:
    alice.get("/api/diagrams")
    samples = read(anybody)
    assert value(samples, "mindgraph_database_pool_size", pool="web") == 7
    # The recorder and this reader may hold one each.
    assert 0 <= value(samples, "mindgraph_database_pool_checked_out", pool="web") <= 2
    assert value(samples, "mindgraph_database_pool_wait_seconds_count", pool="web") > 0
    assert value(samples, "mindgraph_database_connections") >= 1
    assert value(samples, "mindgraph_database_connections_max") >= 100


def test_usage_is_counted(alice: Browser, anybody: Browser) -> None:
    before = read(anybody)
    key = make_key(alice, scopes=["usage:write"])["key"]
    events = {"events": [{"input_tokens": 1, "output_tokens": 2}]}
    answer = anybody.post("/api/usage", headers=bearer(key), json=events)
    assert answer.is_success, answer.text
    after = read(anybody)
    name = "mindgraph_usage_records_total"
    assert value(after, name) - value(before, name) == 1
    assert value(after, "mindgraph_usage_recorder_waiting") == 0


# What is found out


def test_it_names_the_release(anybody: Browser) -> None:
    labels = {"version": app.__version__, "revision": "4711abc"}
    assert value(read(anybody), "mindgraph_build_info", **labels) == 1


def test_it_tells_of_documents_jobs_sessions_and_the_disk(alice: Browser, anybody: Browser) -> None:
    upload(alice, "rain falls")
    samples = read(anybody)
    assert value(samples, "mindgraph_documents", state="queued") == 1
    assert value(samples, "mindgraph_documents", state="ready") == 0
    assert value(samples, "mindgraph_ingestion_waiting") == 1
    assert value(samples, "mindgraph_ingestion_oldest_waiting_seconds") >= 0
    assert value(samples, "mindgraph_queue_messages", state="waiting") == 1
    assert value(samples, "mindgraph_sessions") == 1
    assert value(samples, "mindgraph_data_disk_free_bytes") > 0
    for source in ("database", "qdrant", "redis"):
        assert value(samples, "mindgraph_observation_success", source=source) == 1


def test_what_is_down_is_missing_and_the_rest_is_told(settings: Settings, closed_port: int) -> None:
    with serving(settings.model_copy(update={"redis_port": closed_port})) as service:
        samples = read(service.browser())
    assert value(samples, "mindgraph_observation_success", source="database") == 1
    assert value(samples, "mindgraph_observation_success", source="redis") == 0
    assert "mindgraph_documents" in names(samples)
    assert not {"mindgraph_queue_messages", "mindgraph_sessions"} & names(samples)
    assert value(samples, "mindgraph_redis_errors_total", purpose="required") > 0


def test_a_pooler_is_told_of_only_where_there_is_one(anybody: Browser) -> None:
    samples = read(anybody)
    asked = {dict(labels)["source"] for name, labels in samples if name == OBSERVED}
    assert asked == {"database", "qdrant", "redis"}


@on_postgresql
def test_a_pooler_that_tells_nothing_is_told(settings: Settings) -> None:
    """As PostgreSQL itself, which has no such console."""
    changed = {"database_direct_host": settings.database_host}
    with serving(settings.model_copy(update=changed)) as service:
        samples = read(service.browser())
    assert value(samples, OBSERVED, source="pooler") == 0
    assert value(samples, OBSERVED, source="database") == 1
    assert "mindgraph_pooler_clients_waiting" not in names(samples)


def test_in_maintenance_it_asks_nobody(settings: Settings) -> None:
    closed = settings.model_copy(update={"maintenance": True})
    with serving(closed) as service, service.statements() as seen:
        samples = read(service.browser())
    assert seen == []
    assert value(samples, "mindgraph_maintenance") == 1
    assert "mindgraph_documents" not in names(samples)


def test_however_often_it_is_read_the_database_is_asked_once(service: Service) -> None:
    browser = service.browser()
    with service.statements() as seen:
        for _ in range(5):
            read(browser)
    assert len([one for one in seen if "GROUP BY knowledge_versions.state" in one]) == 1


@pytest.fixture
def reported(settings: Settings) -> Iterator[Service]:
    report = settings.data_dir / "backup.json"
    settings.data_dir.mkdir(exist_ok=True)
    report.write_text('{"finished_at": "2026-01-02T03:04:05Z", "kind": "full", "more": 1}')
    with serving(settings.model_copy(update={"backup_report": report})) as service:
        yield service


def test_the_last_backup_is_told(reported: Service) -> None:
    samples = read(reported.browser())
    assert value(samples, "mindgraph_backup_last_timestamp_seconds") == 1767323045
    assert value(samples, "mindgraph_backup_last_success") == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"finished_at": 5, "ok": "perhaps"}', "\x00"])
def test_a_report_that_is_none_counts_as_no_backup(reported: Service, text: str) -> None:
    report = reported.settings.backup_report
    assert report
    report.write_text(text)
    assert "mindgraph_backup_last_timestamp_seconds" not in names(read(reported.browser()))


def test_what_others_tell_beside_the_report_is_handed_on(reported: Service) -> None:
    report = reported.settings.backup_report
    assert report
    (report.parent / "rehearsal.prom").write_text(
        "# TYPE mindgraph_rehearsal_x gauge\nmindgraph_rehearsal_x 7\n"
    )
    (report.parent / "spoilt.prom").write_text("this is {no metric")
    samples = read(reported.browser())
    assert value(samples, "mindgraph_rehearsal_x") == 7
    assert value(samples, "mindgraph_backup_last_success") == 1


def test_a_clock_that_nobody_set_did_not_jump(anybody: Browser) -> None:
    assert abs(value(read(anybody), "mindgraph_clock_jumped_seconds")) < 60


def test_every_metric_has_a_good_name_and_says_what_it_is(anybody: Browser) -> None:
    text = anybody.get("/metrics", headers=bearer(TOKEN)).text
    own = [one for one in text_string_to_metric_families(text) if one.name.startswith("mindgraph")]
    assert len(own) > 25
    for family in own:
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert family.documentation.endswith(".")
