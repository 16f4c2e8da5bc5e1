"""What a report of the machine tells, and what it keeps for itself."""

import pytest
from host.checks import redacting

VALUES = {
    "APP_MEMORY_MB": "1536",
    "CAPTCHA_ENABLED": "true",
    "COMPOSE_PROJECT_NAME": "lakeside",
    "ENVIRONMENT": "production",
    "LOG_LEVEL": "INFO",
    "PUBLIC_BIND": "203.0.113.5",
    "REDIS_MAXMEMORY": "512mb",
    "REDIS_PASSWORD": "swordfish",
    "SITE_ADDRESS": "diagrams.lakeside.org",
    "TLS": "acme",
    "TLS_EMAIL": "anna@lakeside.org",
    "WEB_WORKERS": "4",
}


def test_settings_are_told_where_they_name_nobody_and_open_nothing() -> None:
    told = list(redacting.differing(VALUES, {"ENVIRONMENT": "development", "WEB_WORKERS": "4"}))
    assert "ENVIRONMENT=production" in told
    assert "REDIS_MAXMEMORY=512mb" in told
    assert "TLS=acme" in told
    for name in ("COMPOSE_PROJECT_NAME", "REDIS_PASSWORD", "SITE_ADDRESS", "TLS_EMAIL"):
        assert f"{name}=[set]" in told
    assert not [line for line in told if line.startswith("WEB_WORKERS")]


def test_nothing_that_is_private_is_left_in_a_text() -> None:
    text = (
        "203.0.113.5:443 and [2001:db8::7] of diagrams.lakeside.org, anna@lakeside.org: swordfish "
        "at /home/anna/lakeside on school-server; see https://other.example/x"
    )
    found = redacting.redact(text, redacting.private(VALUES, "school-server"))
    for word in ("203.0", "2001:", "lakeside", "anna", "swordfish", "school-server", "other."):
        assert word not in found


@pytest.mark.parametrize(
    "text",
    [
        "5.15.167.4-microsoft-standard-WSL2",
        "127.0.0.1:8000 is free for app",
        "lets in 500, of which 27",
        "in production",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert redacting.redact(text, redacting.private(VALUES)) == text
