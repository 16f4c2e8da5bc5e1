"""What a scanner can bring the proxy to, and certificates that come from elsewhere."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

from .stacks import PRODUCTION, Stack, StackFailed

VERSIONS = ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")
# Not what asks the internet, nor what is looked at elsewhere.
SCANS = (
    *("--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"),
    *("--heartbleed", "--openssl_ccs", "--compression", "--reneg", "--early_data", "--fallback"),
    *("--ems", "--robot"),
)


@pytest.fixture(scope="module")
def findings(
    unharmed_production: Stack, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """All that the scanner found at the published port, by the name of the scan."""
    file = tmp_path_factory.mktemp("scan") / "found.json"
    address = f"localhost:{unharmed_production.env['HTTPS_PORT']}"
    # As a program: a warning that is an error in here would end its threads, and it would wait.
    command = [sys.executable, "-m", "sslyze", "--quiet", "--json_out", str(file), *SCANS, address]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=300)
    assert file.exists(), done.stdout + done.stderr
    [server] = json.loads(file.read_text())["server_scan_results"]
    scans = server["scan_result"]
    made = {name: scan for name, scan in scans.items() if scan["status"] != "NOT_SCHEDULED"}
    assert {name for name, scan in made.items() if scan["status"] != "COMPLETED"} == set()
    return {name: scan["result"] for name, scan in made.items()}


def test_only_current_versions_with_forward_secrecy_and_authenticated_ciphers(
    findings: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    found = {
        version: sorted(
            one["cipher_suite"]["name"]
            for one in findings[f"{version}_cipher_suites"]["accepted_cipher_suites"]
        )
        for version in VERSIONS
    }
    lines = [f"{version:<8} {', '.join(names) or 'refused'}" for version, names in found.items()]
    with capfd.disabled():
        sys.stderr.write("\n".join(["", "TLS of the proxy, by a scanner", *lines, ""]))
    assert [version for version in VERSIONS if found[version]] == ["tls_1_2", "tls_1_3"]
    for name in found["tls_1_2"]:
        assert name.startswith("TLS_ECDHE_")
        assert name.endswith(("_GCM_SHA256", "_GCM_SHA384", "_CHACHA20_POLY1305_SHA256"))


def test_none_of_the_known_weaknesses_is_there(findings: dict[str, Any]) -> None:
    renegotiation = findings["session_renegotiation"]
    assert not findings["heartbleed"]["is_vulnerable_to_heartbleed"]
    assert not findings["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"]
    assert not findings["tls_compression"]["supports_compression"]
    assert not renegotiation["is_vulnerable_to_client_renegotiation_dos"]
    # What is sent before the handshake is over could be sent again by others.
    assert not findings["tls_1_3_early_data"]["supports_early_data"]
    assert findings["tls_fallback_scsv"]["supports_fallback_scsv"]
    assert findings["tls_extended_master_secret"]["supports_ems_extension"]
    assert findings["robot"]["robot_result"].startswith("NOT_VULNERABLE")


# Certificates that come from elsewhere


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served(stack: Stack, authority: trustme.CA) -> str:
    """Who signed what the proxy shows to those who trust the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    address = ("127.0.0.1", int(stack.env["HTTPS_PORT"]))
    with (
        socket.create_connection(address, 20) as connection,
        context.wrap_socket(connection, server_hostname=stack.env["SITE_ADDRESS"]) as wrapped,
    ):
        return str(wrapped.version())


def test_a_certificate_of_one_s_own_is_served(authority: trustme.CA, tmp_path: Path) -> None:
    made = authority.issue_cert("diagrams.example.test")
    certificate, key = tmp_path / "site.crt", tmp_path / "site.key"
    for blob in made.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    made.private_key_pem.write_to_path(key)
    settings = {
        "SITE_ADDRESS": "diagrams.example.test",
        "TLS": "files",
        "TLS_CERTIFICATE": str(certificate),
        "TLS_KEY": str(key),
    }
    with Stack(*PRODUCTION, settings=settings) as stack:
        stack.make_secrets()
        stack.compose("up", "--detach", "--no-deps", "--wait", "proxy")
        assert served(stack, authority) == "TLSv1.3"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"TLS": "files"}, "TLS=files needs TLS_CERTIFICATE and TLS_KEY in .env"),
        ({"TLS": "acme"}, "TLS=acme needs a public domain name as SITE_ADDRESS"),
        ({"TLS": "acme", "SITE_ADDRESS": "10.0.0.1"}, "needs a public domain name"),
        (
            {"TLS": "acme", "SITE_ADDRESS": "a.test", "TLS_ACME_DIRECTORY": "http://b.test"},
            'TLS_ACME_DIRECTORY is "http://b.test"; write an address that begins with https://',
        ),
        ({"TLS": "yes"}, 'TLS is "yes"; write acme, files or internal'),
    ],
)
def test_settings_that_can_not_work_are_told(settings: dict[str, str], reason: str) -> None:
    with Stack(*PRODUCTION, settings=settings) as stack:
        stack.make_secrets()
        done = stack.compose("run", "--rm", "--no-deps", "--no-TTY", "proxy", check=False)
        assert done.returncode == 1
        assert reason in done.stdout + done.stderr


def test_a_file_that_is_not_there_is_named_before_anything_starts() -> None:
    with Stack(*PRODUCTION, settings={"TLS": "files", "TLS_KEY": "/nowhere.key"}) as stack:
        with pytest.raises(StackFailed, match=r"TLS_KEY in \.env names /nowhere\.key"):
            stack.make_secrets()
        assert stack.containers() == []
