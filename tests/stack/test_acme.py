"""TLS=acme against a real server of that protocol: asked for, served, renewed, refused."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from . import authorities
from .authorities import Authority
from .stacks import CHECKOUT, PRODUCTION, Stack, bare_environment

NAME = "diagrams.example.test"
ELSEWHERE = "elsewhere.example.test"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with Authority(NAME) as authority:
        yield authority


@pytest.fixture(scope="module")
def stack(authority: Authority) -> Iterator[Stack]:
    """Its proxy alone."""
    with Stack(*PRODUCTION, authority.overlay, settings=authority.settings) as stack:
        start(stack)
        yield stack


def start(stack: Stack) -> None:
    stack.make_secrets()
    stack.compose("up", "--detach", "--no-deps", "--wait", "proxy")


def shown(authority: Authority) -> dict[str, object]:
    """The certificate at the published port, by those who trust the authority; {} for none."""
    try:
        with (
            socket.create_connection((authority.address, 443), 20) as plain,
            authority.trust.wrap_socket(plain, server_hostname=NAME) as secured,
        ):
            return dict(secured.getpeercert() or {})
    except (ssl.SSLError, OSError):
        return {}


def test_the_certificate_is_asked_for_and_served(authority: Authority, stack: Stack) -> None:
    stack.wait(lambda: shown(authority), "the certificate is there")
    assert shown(authority)["subjectAltName"] == (("DNS", NAME),)
    # Nobody had to tell it about the account or the key.
    assert '"level":"error"' not in stack.logs("proxy")


def test_it_is_renewed_while_it_is_served(authority: Authority, stack: Stack) -> None:
    before = shown(authority)["serialNumber"]
    found = stack.run_in("proxy", "caddy", "adapt", "--config", "/etc/caddy/Caddyfile")
    assert found.returncode == 0, found.stderr
    configuration = json.loads(found.stdout)
    # From its first second on it is as good as at its end.
    for policy in configuration["apps"]["tls"]["automation"]["policies"]:
        policy["renewal_window_ratio"] = 0.9999
    changed = stack.run_in(
        *("proxy", "sh", "-c"),
        'printf %s "$NEW" >/tmp/caddy/new.json && caddy reload --config /tmp/caddy/new.json',
        NEW=json.dumps(configuration),
    )
    assert changed.returncode == 0, changed.stderr
    stack.wait(lambda: shown(authority).get("serialNumber", before) != before, "it is renewed")


def test_a_restart_asks_for_nothing_anew(authority: Authority, stack: Stack) -> None:
    before = shown(authority)["serialNumber"]
    stack.compose("restart", "proxy")
    stack.wait(lambda: shown(authority), "it is served again")
    assert shown(authority)["serialNumber"] == before


def test_a_refused_order_is_told_by_log_and_doctor(authority: Authority, stack: Stack) -> None:
    closed = authorities.directory(authorities.CLOSED)
    stack.set(SITE_ADDRESS=ELSEWHERE, TLS_ACME_DIRECTORY=closed)
    start(stack)
    reason = str(authorities.REFUSAL["detail"])
    stack.wait(lambda: reason in stack.logs("proxy"), "the log tells")
    done = subprocess.run(
        [CHECKOUT / "deploy" / "mindgraph", "doctor", "--json"],
        env={**bare_environment(), "MINDGRAPH_ENV_FILE": str(stack.env_file)},
        capture_output=True,
        text=True,
        check=False,
    )
    [found] = [one for one in json.loads(done.stdout)["checks"] if one["check"] == "certificate"]
    assert found["status"] == "failure"
    assert f"none is shown at {authority.address}:443" in found["seen"]
    assert reason in found["seen"]
    assert "docker compose restart proxy" in found["fix"]
