"""What goes bad by itself while a stack runs, and whatever doctor finds."""

from __future__ import annotations

import calendar
import json
import subprocess
import tempfile
import time
from typing import Callable, Iterator, NamedTuple

from host import running
from host.errors import HostError
from host.stack import CHECKOUT, Stack

OK, WARNING, FAILURE = "ok", "warning", "failure"
DAY_S = 86_400
# A start renews them when 30 days are left.
CERTIFICATE_WARNING_DAYS, CERTIFICATE_FAILURE_DAYS = 21.0, 7.0
# Debian mends holes weekly; an image that is older than this has surely missed some.
IMAGE_WARNING_DAYS, IMAGE_FAILURE_DAYS = 35.0, 120.0
RENEW_IMAGES = "run: bash docker/images.sh refresh && make up-prod"


class Finding(NamedTuple):
    name: str
    level: str
    text: str
    fix: str = ""


def all_of(stack: Stack) -> list[Finding]:
    """Each check is made, whatever becomes of the others."""
    found: list[Finding] = []
    parts: tuple[tuple[str, Callable[[Stack], Iterator[Finding]]], ...] = (
        ("certificates", certificates),
        ("images", images),
        ("doctor", doctor),
    )
    for name, part in parts:
        try:
            found += part(stack)
        except HostError as error:
            found.append(Finding(name, FAILURE, str(error), "see: systemctl status mindgraph"))
    return found


def certificates(stack: Stack) -> Iterator[Finding]:
    if not running.is_production(stack):
        return
    for name, file in (("inside", "server.crt"), ("authority of the inside", "ca.crt")):
        text = stack.run_in("pgbouncer", "cat", f"/run/secrets/{file}")
        renew = "run: systemctl restart mindgraph"
        yield of_certificate(f"certificate {name}", days_left(stack, text), renew)


def of_certificate(name: str, days: float, fix: str) -> Finding:
    level = OK if days > CERTIFICATE_WARNING_DAYS else WARNING
    if days <= CERTIFICATE_FAILURE_DAYS:
        level = FAILURE
    return Finding(name, level, f"runs out in {days:.0f} days", fix)


def days_left(stack: Stack, certificate: str) -> float:
    """Of the first certificate in a text, by the openssl of PostgreSQL's image."""
    with tempfile.TemporaryFile() as file:
        file.write(certificate.encode())
        file.seek(0)
        arguments = ("exec", "--no-TTY", "pgbouncer", "openssl", "x509", "-noout", "-enddate")
        said = stack.compose(*arguments, stdin=file)
    end = time.strptime(said.strip(), "notAfter=%b %d %H:%M:%S %Y GMT")
    return (calendar.timegm(end) - time.time()) / DAY_S


def images(stack: Stack) -> Iterator[Finding]:
    """How old they are: no registry need be reached to know that holes were found since."""
    for name in sorted({str(one["image"]) for one in stack.config()["services"].values()}):
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{json .Created}}", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            yield Finding(f"image {name}", FAILURE, "is not here", "run: make up-prod")
        else:
            yield of_image(name, age_days(json.loads(done.stdout)))


def of_image(name: str, days: float) -> Finding:
    level = OK if days < IMAGE_WARNING_DAYS else WARNING
    if days >= IMAGE_FAILURE_DAYS:
        level = FAILURE
    return Finding(f"image {name}", level, f"is {days:.0f} days old", RENEW_IMAGES)


def age_days(created: str) -> float:
    """`created` as the engine writes it, with any number of digits after the second."""
    made = time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")
    return (time.time() - calendar.timegm(made)) / DAY_S


def doctor(_stack: Stack) -> Iterator[Finding]:
    command = [str(CHECKOUT / "deploy" / "mindgraph"), "doctor", "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        checks: list[dict[str, str]] = json.loads(done.stdout)["checks"]
    except (ValueError, KeyError, TypeError):
        said = (done.stdout + done.stderr).decode(errors="replace").split()
        text = f"ended with {done.returncode}: {' '.join(said)[-500:]}"
        yield Finding("doctor", FAILURE, text, "run: mindgraph doctor")
        return
    for one in checks:
        if one["status"] != OK:
            yield Finding(f"doctor {one['check']}", one["status"], one["seen"], one.get("fix", ""))
    yield Finding("doctor", OK, f"looked at {len(checks)} things")
