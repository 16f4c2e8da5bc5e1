"""How long certificates are still good: the site's, as a browser is shown it, and the inside's."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import datetime, timedelta
from typing import NamedTuple

from host.checks.finding import Finding, failure, ok, warning

PATIENCE_S = 5.0
# The proxy renews at a third of the time that is left; one that an authority of its own has made is
# good for half a day alone.
WARN_PART = 6
WARN_BEFORE = timedelta(days=14)
# Of the inside: a start renews them when 30 days are left.
WARN_INSIDE, FAIL_INSIDE = timedelta(days=21), timedelta(days=7)
# As the proxy's log puts it.
REFUSED = "could not get certificate from issuer"
UTC_TIME, EXPLICIT_0 = 0x17, 0xA0


class Validity(NamedTuple):
    begins: datetime
    ends: datetime


def examine(address: str, port: int, name: str, now: datetime) -> Finding:
    """Asks the proxy at `address`, for the site `name`."""
    check = "certificate"
    try:
        found = validity(_shown(address, port, name))
    except (OSError, ValueError) as error:
        fix = "`docker compose logs proxy` says why"
        return failure(check, f"none is shown at {address}:{port} ({error})", fix)
    left = found.ends - now
    seen = f"good until {found.ends:%Y-%m-%d %H:%M} UTC, {_span(left)} from now"
    fix = (
        "the proxy renews its own (`docker compose logs proxy`); with TLS=files put new ones"
        " there, then `deploy/mindgraph start`"
    )
    if left < timedelta(0):
        return failure(check, f"ended on {found.ends:%Y-%m-%d %H:%M} UTC", fix)
    if left < min(WARN_BEFORE, (found.ends - found.begins) / WARN_PART):
        return warning(check, seen, fix)
    return ok(check, seen)


def examine_inside(check: str, text: str, now: datetime, *, is_served: bool = True) -> Finding:
    """
    Args:
        text: a file with the certificate in PEM, first of all that it has.
        is_served: whether who has the file was started after it was written.
    """
    fix = "`deploy/mindgraph start` renews it"
    if not is_served:
        return failure(check, "was renewed, and the one before is still served", fix)
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    try:
        first = text[: text.index(end)] + end
        found = validity(ssl.PEM_cert_to_DER_cert(first[first.index(begin) :]))
    except ValueError:
        return failure(check, "is none", fix)
    left = found.ends - now
    seen = f"good until {found.ends:%Y-%m-%d %H:%M} UTC, {_span(left)} from now"
    if left < FAIL_INSIDE:
        return failure(check, seen, fix)
    return warning(check, seen, fix) if left < WARN_INSIDE else ok(check, seen)


def with_refusal(found: Finding, log: str) -> Finding:
    """What the authority said when it was last asked, in a finding that something is wrong.

    Args:
        log: the proxy's.
    """
    reason = refusal(log)
    if found.status == "ok" or not reason:
        return found
    fix = (
        "it must find this machine under the site's name, with ports 80 and 443 open; then"
        " `docker compose restart proxy` asks at once; `docker compose logs proxy` has more"
    )
    return found._replace(seen=f"{found.seen}; the authority says: {reason}", fix=fix)


def refusal(log: str) -> str:
    """Nothing where the log has none."""
    for line in reversed(log.splitlines()):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("msg") == REFUSED:
            return str(told.get("error", ""))
    return ""


def _span(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600)
    return f"{left.days} days" if hours >= 48 else f"{hours} hours"


def _shown(address: str, port: int, name: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # One that nobody trusts, or that has ended, is to be looked at as well.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Python 3.8 has no parentheses around both.
    with socket.create_connection((address, port), PATIENCE_S) as plain:  # noqa: SIM117
        with context.wrap_socket(plain, server_hostname=name) as secured:
            return secured.getpeercert(binary_form=True) or b""


def validity(certificate: bytes) -> Validity:
    """Reads it from a certificate in DER, which Python shows only for one that it trusts.

    Raises:
        ValueError: it is none.
    """
    try:
        inside = _parts(_parts(certificate)[0][1])
        # Version, where there is one, then serial number, algorithm, issuer.
        fields = _parts(inside[0][1])
        times = _parts(fields[4 if fields[0][0] == EXPLICIT_0 else 3][1])
        return Validity(_time(*times[0]), _time(*times[1]))
    except IndexError as error:
        raise ValueError("this is no certificate") from error


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of what stands in `data` one after the other."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == UTC_TIME:
        # Of two digits, as it is agreed for certificates.
        text = ("20" if text < "50" else "19") + text
    return datetime.strptime(text.replace("Z", "+0000"), "%Y%m%d%H%M%S%z")
