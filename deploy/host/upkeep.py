"""What goes bad by itself while a stack runs: certificates, images, and whatever doctor finds."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from typing import Any, Callable, Iterator, NamedTuple

from host import running
from host.errors import HostError
from host.stack import CHECKOUT, Stack

OK, WARNING, FAILURE = "ok", "warning", "failure"
DAY_S = 86_400
# A public authority's certificate is renewed when 30 days are left.
CERTIFICATE_WARNING_DAYS, CERTIFICATE_FAILURE_DAYS = 21.0, 7.0
# Debian mends holes weekly; an image that is older than this has surely missed some.
IMAGE_WARNING_DAYS, IMAGE_FAILURE_DAYS = 35.0, 120.0
RENEW_IMAGES = "run: bash docker/images.sh refresh && make up-prod"
# In the app's container, which alone shares a network with the proxy.
ASK_PROXY = """
import socket, ssl, sys
context = ssl._create_unverified_context()
with socket.create_connection(("proxy", 8443), 20) as plain:
    with context.wrap_socket(plain, server_hostname=sys.argv[1]) as secured:
        print(ssl.DER_cert_to_PEM_cert(secured.getpeercert(True)))
"""


class Finding(NamedTuple):
    name: str
    level: str
    text: str
    fix: str = ""


def all_of(stack: Stack) -> list[Finding]:
    """Each check is made, whatever becomes of the others."""
    found: list[Finding] = []
    parts: tuple[tuple[str, Callable[[Stack], Iterator[Finding]]], ...] = (
        ("services", services),
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


def services(stack: Stack) -> Iterator[Finding]:
    listed = running.containers(stack)
    if not listed:
        yield Finding("services", FAILURE, "none runs", "run: systemctl start mindgraph")
    for one in listed:
        well = one.get("Health") == "healthy"
        text = str(one.get("Status") or one.get("State"))
        fix = f"see: docker compose logs {one['Service']}"
        yield Finding(f"service {one['Service']}", OK if well else FAILURE, text, fix)


def certificates(stack: Stack) -> Iterator[Finding]:
    if not running.is_production(stack):
        return
    for name, file in (("inside", "server.crt"), ("authority of the inside", "ca.crt")):
        text = stack.run_in("pgbouncer", "cat", f"/run/secrets/{file}")
        renew = "run: systemctl restart mindgraph"
        yield of_certificate(f"certificate {name}", days_left(stack, text), renew)
    settings = stack.settings()
    site = settings.get("SITE_ADDRESS") or "localhost"
    days = days_left(stack, stack.run_in("app", "python3", "-c", ASK_PROXY, site))
    if (settings.get("TLS") or "internal") == "internal" and days > 0:
        # The proxy's own authority renews them within hours.
        yield Finding("certificate of the site", OK, "the proxy renews it by itself")
        return
    fix = "see: docker compose logs proxy"
    if settings.get("TLS_CERTIFICATE"):
        fix = "put a new one where TLS_CERTIFICATE and TLS_KEY in .env name it, and: make up-prod"
    yield of_certificate("certificate of the site", days, fix)


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
    # As notAfter=Nov 28 08:32:44 2026 GMT, whatever the machine's language.
    _, month, day, clock, year, _ = said.strip().replace("=", " ").split()
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    hours, minutes, seconds = map(int, clock.split(":"))
    number = months.index(month) // 3 + 1
    end = datetime(int(year), number, int(day), hours, minutes, seconds, tzinfo=timezone.utc)
    return (end.timestamp() - time.time()) / DAY_S


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
    made = datetime.strptime(created[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return (time.time() - made.timestamp()) / DAY_S


def doctor(_stack: Stack) -> Iterator[Finding]:
    command = [str(CHECKOUT / "deploy" / "mindgraph"), "doctor", "--json"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0:
        yield Finding("doctor", OK, "finds nothing")
        return
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    yield Finding("doctor", FAILURE, _failures(said), "run: mindgraph doctor")


def _failures(said: str) -> str:
    """The names of what failed, where it is JSON."""
    try:
        found: Any = json.loads(said)
        bad = [one["check"] for one in found["checks"] if one["status"] == "failure"]
    except (KeyError, TypeError, ValueError):
        return said.strip()[-500:]
    return ", ".join(bad) or said.strip()[-500:]
