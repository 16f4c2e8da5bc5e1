"""What `mindgraph doctor` makes of ages, disks and the state of the database."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from host.checks import certificates, database, disks, images

NOW = datetime(2026, 11, 28, 8, 15, tzinfo=UTC)
GB = 1024**3


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate that is good for 60 days."""
    folder = tmp_path_factory.mktemp("tls")
    made = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(folder / "key"), "-out", str(folder / "crt"))
    subprocess.run(
        ["openssl", *made, *files, "-days", "60", "-subj", "/CN=inside"],
        check=True,
        capture_output=True,
    )
    return Path(folder / "crt").read_text()


@pytest.mark.parametrize(
    ("days", "status"), [(0, "ok"), (38, "ok"), (40, "warning"), (54, "failure"), (61, "failure")]
)
def test_a_certificate_of_the_inside_is_told_of_before_it_runs_out(
    pem: str, days: float, status: str
) -> None:
    now = datetime.now(UTC) + timedelta(days=days)
    found = certificates.examine_inside("certificate-inside", f"text\n{pem}{pem}", now)
    assert found.status == status
    assert "good until" in found.seen


def test_a_certificate_of_the_inside_that_is_new_and_not_served_is_a_failure(pem: str) -> None:
    now = datetime.now(UTC)
    found = certificates.examine_inside("certificate-inside", pem, now, is_served=False)
    assert (found.status, found.fix) == ("failure", "`deploy/mindgraph start` renews it")


@pytest.mark.parametrize("text", ["", "no certificate", "-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_a_failure(text: str) -> None:
    assert certificates.examine_inside("certificate-inside", text, NOW).status == "failure"


@pytest.mark.parametrize(
    ("days", "status"), [(0, "ok"), (34, "ok"), (36, "warning"), (121, "failure")]
)
@pytest.mark.parametrize("fraction", ["", ".5", ".123456789"])
def test_an_old_image_is_told_of_with_what_renews_it(days: int, status: str, fraction: str) -> None:
    made = (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S")
    found = images.examine("redis", f"{made}{fraction}Z\n", NOW)
    assert (found.check, found.status, found.seen) == ("image-redis", status, f"is {days} days old")
    assert found.fix in ("", "`bash docker/images.sh refresh && make up-prod`")


def test_an_image_that_is_not_there_is_a_failure() -> None:
    assert images.examine("redis", None, NOW).status == "failure"


@pytest.mark.parametrize(("free", "status"), [(20, "ok"), (14, "warning"), (4, "failure")])
def test_a_disk_that_fills_is_told_of(free: int, status: str) -> None:
    found = disks.examine("postgres", f"     Avail  Used\n{free * GB} {(100 - free) * GB}\n")
    assert (found.check, found.status) == ("disk-postgres", status)
    assert found.seen == f"{free}.0 of 100.0 GB free"


@pytest.mark.parametrize("said", [None, "", "Avail Used", "- -"])
def test_a_disk_that_is_not_told_is_a_warning(said: str | None) -> None:
    assert disks.examine("postgres", said).status == "warning"


def test_a_database_that_takes_no_changes_is_a_failure() -> None:
    assert database.writes(refused=False).status == "ok"
    assert database.writes(refused=True).status == "failure"


def test_an_archive_that_was_given_up_is_a_failure_that_names_the_time() -> None:
    assert database.archive([]).status == "ok"
    found = database.archive(["2026-11-28T08:15:00Z 00000001", "2026-11-28T09:00:00Z 00000002"])
    assert found.status == "failure"
    assert "2026-11-28T08:15:00Z" in found.seen
