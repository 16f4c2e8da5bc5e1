"""What `mindgraph doctor` says of a certificate: real ones, shown by a real server."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from host.checks import certificates, finding

NAME = "diagrams.school.test"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate that is good for 90 days, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(folder / "key"), "-out", str(folder / "crt"))
    subprocess.run(
        ["openssl", *made, *files, "-days", "90", "-subj", f"/CN={NAME}"],
        check=True,
        capture_output=True,
    )
    return folder


@contextmanager
def shown(pair: Path) -> Iterator[int]:
    """The port of a server that shows it to one client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair / "crt", pair / "key")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            with plain, context.wrap_socket(plain, server_side=True) as secured:
                secured.recv(1)

        serving = threading.Thread(target=serve)
        serving.start()
        yield server.getsockname()[1]
        serving.join()


@pytest.mark.parametrize(
    ("days", "status"), [(0, "ok"), (70, "ok"), (77, "warning"), (91, "failure")]
)
def test_days_that_are_left_are_told(pair: Path, days: int, status: str) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    with shown(pair) as port:
        found = certificates.examine("127.0.0.1", port, NAME, now)
    assert found.status == status
    assert ("ended on" if status == "failure" else "good until") in found.seen


def test_what_is_read_is_what_openssl_reads(pair: Path) -> None:
    text = (pair / "crt").read_text()
    found = certificates.validity(ssl.PEM_cert_to_DER_cert(text))
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-dates", "-in", str(pair / "crt")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    times = [
        datetime.fromtimestamp(ssl.cert_time_to_seconds(line.partition("=")[2]), UTC)
        for line in said.splitlines()
    ]
    assert [found.begins, found.ends] == times


def test_one_that_ends_after_2050_is_read(tmp_path: Path) -> None:
    crt = tmp_path / "crt"
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "20000", "-subj", "/CN=x")
    files = ("-keyout", str(tmp_path / "key"), "-out", str(crt))
    subprocess.run(["openssl", *made, *files], check=True, capture_output=True)
    assert certificates.validity(ssl.PEM_cert_to_DER_cert(crt.read_text())).ends.year > 2075


def test_a_port_without_a_proxy_is_a_failure(closed_port: int) -> None:
    found = certificates.examine("127.0.0.1", closed_port, NAME, datetime.now(UTC))
    assert found.status == "failure"
    assert "docker compose logs proxy" in found.fix


@pytest.mark.parametrize("data", [b"", b"\x30", b"no certificate at all", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        certificates.validity(data)


def test_only_what_is_wrong_has_the_authority_s_reason() -> None:
    line = '{"level":"error","msg":"could not get certificate from issuer","error":"%s"}'
    log = "\n".join(["no JSON", "[1]", line % "an old reason", line % "the name is not here", "{}"])
    failed = finding.failure("certificate", "none is shown", "look")
    told = certificates.with_refusal(failed, log)
    assert told.seen == "none is shown; the authority says: the name is not here"
    assert "docker compose restart proxy" in told.fix
    assert certificates.with_refusal(failed, "no JSON") == failed
    fine = finding.ok("certificate", "good")
    assert certificates.with_refusal(fine, log) == fine
