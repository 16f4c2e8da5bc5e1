"""What `mindgraph doctor --report` tells of an installation, and what it keeps for itself."""

import pytest

from app.ops.doctor import findings, report
from app.settings import Settings

PRIVATE = {
    "database_host": "db.lakeside-school.org",
    "database_password": "correct-horse-battery",
    "embedder_api_key": "sk-0123456789",
    "llm_model": "small-model",
    "llm_url": "https://llm.lakeside-school.org/v1",
    "qdrant_url": "http://10.1.2.3:6333",
    "redis_host": "cache.lakeside-school.org",
    "redis_password": "abc",
    "trusted_origins": "https://app.lakeside-school.org",
    "trusted_proxies": "192.0.2.0/24",
    "web_workers": 5,
}
SEEN = (
    'connection to server at "db.lakeside-school.org" (203.0.113.7), port 5432 failed for '
    "correct-horse-battery, abc; asked http://10.1.2.3:6333 and [2001:db8::7]:5432; ask "
    "anna@lakeside-school.org, who has /home/anna/data"
)


def whole(settings: Settings) -> str:
    found = [findings.failure("database", SEEN, "start it"), findings.ok("redis", "valkey 9.1.0")]
    return "\n".join(report.lines(settings, found))


def test_nothing_that_names_somebody_or_opens_something_is_told() -> None:
    told = whole(Settings.model_validate(PRIVATE))
    for private in ("lakeside", "anna", "203.0.113", "10.1.2.3", "2001:db8", "192.0.2", "horse"):
        assert private not in told
    assert "abc" not in told
    assert "sk-01" not in told


def test_it_tells_what_helps_somebody_else_to_understand() -> None:
    told = whole(Settings.model_validate(PRIVATE)).splitlines()
    for line in ("  WEB_WORKERS=5", "  LLM_MODEL=small-model", "  REDIS_PASSWORD=[set]"):
        assert line in told
    assert "  ok       redis: valkey 9.1.0" in told
    assert told[-1] == "  ok: 1, warning: 0, failure: 1"
    assert not [line for line in told if "WEB_THREADS" in line], "it has its default"


def test_every_setting_is_either_told_or_only_said_to_be_set() -> None:
    names = {line.partition("=")[0].strip() for line in report.differing(Settings())}
    assert names == set()
    changed = Settings(
        seed_organizations='[{"code": "S-1", "name": "My School", "invitation_code": "WELCOME"}]'
    )
    assert list(report.differing(changed)) == ["  SEED_ORGANIZATIONS=[set]"]


@pytest.mark.parametrize(
    "harmless",
    ["postgresql 17.6 (3.1 ms)", "5.15.167.4-microsoft-standard-WSL2", "at 12:30:01", "1.2.3"],
)
def test_versions_and_times_stay(harmless: str) -> None:
    assert report.redact(harmless, []) == harmless
