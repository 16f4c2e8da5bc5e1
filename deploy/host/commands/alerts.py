"""What Prometheus finds wrong now. It is published nowhere, so it is asked in its container."""

from __future__ import annotations

import argparse
import json
from typing import Any

from host import output
from host.errors import HostError
from host.stack import ComposeFailed, Stack

ADDRESS = "http://127.0.0.1:9090/api/v1/alerts"
FIRING = 1


class NotWatched(HostError):
    """Prometheus doesn't answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def run(options: argparse.Namespace) -> int:
    """1 while an alert fires."""
    found = firing(Stack.here())
    if options.json:
        output.say(json.dumps(found, ensure_ascii=False))
    else:
        show(found)
    return FIRING if found else 0


def firing(stack: Stack) -> list[dict[str, Any]]:
    """The alerts that fire, the critical ones first. Raises NotWatched."""
    try:
        said = stack.run_in("prometheus", "wget", "-q", "-O", "-", ADDRESS)
        alerts = json.loads(said)["data"]["alerts"]
    except (ComposeFailed, KeyError, ValueError) as error:
        raise NotWatched(
            "Prometheus doesn't answer; set COMPOSE_PROFILES=metrics in .env, then: make up-prod"
        ) from error
    shown = [
        {
            "alert": one["labels"]["alertname"],
            "severity": one["labels"]["severity"],
            "since": one["activeAt"],
            "summary": one["annotations"]["summary"],
            "runbook": one["annotations"]["runbook"],
        }
        for one in alerts
        if one["state"] == "firing"
    ]
    return sorted(shown, key=lambda one: (one["severity"], one["alert"]))


def show(found: list[dict[str, Any]]) -> None:
    if not found:
        output.say("no alert fires")
    for one in found:
        output.say(f"{one['severity']:<8}  {one['alert']}: {one['summary']}")
        output.say(f"          since {one['since'][:19]}Z, see {one['runbook']}")
