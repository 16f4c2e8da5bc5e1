from __future__ import annotations

import argparse
import json
import os
from typing import Sequence

from host import examination, output
from host.checks import finding, redacting
from host.checks.finding import Finding
from host.errors import WrongUse
from host.stack import Stack

FAILED = 1
# What systemd's journal takes for the priority of a line that begins so.
PRIORITIES = {"ok": "<6>", "warning": "<4>", "failure": "<3>"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        default="",
        metavar="PARTS",
        help="of machine, files, engine, images, containers, ports, pooler, certificates, disks, "
        "archive, backups and app, with commas between them",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="for programs")
    shape.add_argument(
        "--report",
        action="store_true",
        help="for a bug report: without secrets, names of hosts, addresses and people",
    )


def run(options: argparse.Namespace) -> int:
    """1 says that there is a failure; a warning is none."""
    machine = examination.Machine(Stack.here())
    only = _only(options, machine)
    if options.report:
        return _report(machine)
    found = finding.in_order(machine.examine(only))
    if options.json:
        checks = [one._asdict() for one in found]
        whole = {"checks": checks, "summary": finding.summary(found)}
        output.say(json.dumps(whole, ensure_ascii=False))
    elif "JOURNAL_STREAM" in os.environ:
        _log(found)
    else:
        _show(found)
    return _code(found)


def _only(options: argparse.Namespace, machine: examination.Machine) -> Sequence[str]:
    """Raises WrongUse."""
    asked = [name.strip() for name in options.only.split(",") if name.strip()]
    unknown = sorted(set(asked) - set(machine.parts()))
    if unknown:
        there = ", ".join(machine.parts())
        raise WrongUse(f"there is nothing to look at by the name {unknown[0]}; there is {there}")
    return asked


def _code(found: list[Finding]) -> int:
    return FAILED if finding.summary(found)["failure"] else 0


def _log(found: list[Finding]) -> None:
    for one in found:
        fix = f"; fix: {one.fix}" if one.fix else ""
        text = " ".join(f"{one.seen}{fix}".split())
        output.say(f"{PRIORITIES[one.status]}{one.status} {one.check}: {text}")


def _show(found: list[Finding]) -> None:
    width = max((len(one.check) for one in found), default=0)
    for one in found:
        output.say(f"{one.status:<7}  {one.where:<7}  {one.check:<{width}}  {one.seen}")
        if one.fix:
            output.say(f"{'':<7}  {'':<7}  {'':<{width}}  fix: {one.fix}")
    counted = finding.summary(found)
    output.say(", ".join(f"{status}: {count}" for status, count in counted.items()))


def _report(machine: examination.Machine) -> int:
    parts = [name for name in machine.parts() if name != "app"]
    found = finding.in_order(machine.examine(parts))
    output.say("MindGraph, seen by the machine\n\nSettings that differ from .env.example:")
    for line in redacting.differing(machine.settings, machine.defaults()):
        output.say(f"  {line}")
    output.say("\nFindings:")
    words = machine.private()
    for one in found:
        output.say(f"  {one.status:<7}  {one.check}: {redacting.redact(one.seen, words)}")
    output.say("")
    code, said = machine.app("doctor", "--report") or (0, "The app does not run.")
    output.say(redacting.redact(said.strip(), words))
    return max(_code(found), min(code, FAILED))
