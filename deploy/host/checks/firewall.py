"""Ports that are open to others, past the firewall: Docker's own rules come before those of ufw."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Sequence

from host.checks.finding import Finding, ok, warning
from host.checks.ports import Published

# What is published for others, with docker/postgres/remote.yaml the last one as well.
MEANT = {"proxy": "the proxy", "postgres": "the database, by TLS alone"}


def examine(root: Path, wanted: Sequence[Published]) -> Finding:
    """
    Args:
        root: has `etc`.
        wanted: what the stack publishes.
    """
    is_on = _is_on(root)
    state = "ufw is on, and Docker passes by it" if is_on else "ufw is off or not there"
    opened = [one for one in wanted if not _is_loopback(one.address)]
    bare = [one for one in opened if one.service not in MEANT]
    if bare:
        shown = ", ".join(f"{one.address}:{one.port} ({one.service})" for one in bare)
        return warning(
            "firewall",
            f"open to the network without TLS: {shown}; {state}",
            "set APP_BIND=127.0.0.1 in .env, then `make up`",
        )
    if not opened:
        return ok("firewall", f"only this machine reaches the stack; {state}")
    shown = ", ".join(f"{one.port} ({MEANT[one.service]})" for one in opened)
    return ok("firewall", f"open to the network: {shown}; {state}")


def _is_on(root: Path) -> bool:
    file = root / "etc/ufw/ufw.conf"
    if not file.exists():
        return False
    text = file.read_text(encoding="utf-8", errors="replace")
    return re.search(r"^ENABLED=yes", text, re.MULTILINE | re.IGNORECASE) is not None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"
