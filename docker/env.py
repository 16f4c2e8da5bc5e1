"""Make `.env` from `.env.example`, or fill in what it lacks; an existing value is never changed.

Run before there is any virtual environment: Python 3.8's standard library is all it may use.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import os
import random
import re
import secrets
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from env_format import Entry, Problem, parse, quote, scan

__all__ = ["main", "parse", "quote"]

CHECKOUT = Path(__file__).resolve().parent.parent
KIND = re.compile(r"(cores|memory:\d+:\d+|password|port|project)\Z")
# What a new file for production has other than the example.
IN_PRODUCTION = {
    "CAPTCHA_ENABLED": "true",
    "COMPOSE_FILE": "compose.yaml:compose.prod.yaml",
    "ENVIRONMENT": "production",
}
KNOWN_WORDS = {"admin", "changeme", "default", "password", "postgres", "root", "secret", "test"}


class Refusal(Exception):
    """Ends the run with nothing written; its text has one sentence a line."""


class Example(NamedTuple):
    text: str
    entries: list[Entry]

    def kinds(self) -> dict[str, str]:
        return {entry.name: entry.generator for entry in self.entries if entry.generator}


class Outcome(NamedTuple):
    text: str
    filled: list[str]
    added: list[str]


def weakness(name: str, value: str) -> str:
    """Why `value` is no secret, or nothing."""
    if len(value) < 16:
        return "is shorter than 16 characters"
    if value.lower() == name.lower():
        return "is its own name"
    letters = re.sub(r"[^a-z]+", "", value.lower())
    if letters in KNOWN_WORDS or "123456" in value or "changeme" in letters:
        return "is a value that everybody knows"
    if len(set(value)) < 5:
        return "repeats a few characters"
    return ""


class Generators:
    """Makes the value of each `# generated: KIND` setting of one file."""

    def __init__(self, folder: Path, kinds: Mapping[str, str]) -> None:
        self.folder = folder
        self.kinds = kinds
        self.made: dict[str, str] = {}
        self.ports: set[str] = set()

    def keep(self, entries: list[Entry]) -> None:
        """No new value may meet one that the file has already."""
        self.ports |= {entry.value for entry in entries if self.kinds.get(entry.name) == "port"}

    def make(self, name: str) -> str:
        if name not in self.made:
            self.made[name] = self.from_environment(name) or self.fresh(self.kinds[name])
            if self.kinds[name] == "port":
                self.ports.add(self.made[name])
        return self.made[name]

    def from_environment(self, name: str) -> str:
        value = os.environ.get(name, "")
        try:
            return quote(value) if value else ""
        except ValueError as error:
            raise Refusal(f"{name} of the environment does not work: {error}") from error

    def fresh(self, kind: str) -> str:
        if kind == "password":
            return secrets.token_urlsafe(24)
        if kind == "cores":
            return str(os.cpu_count() or 1)
        if kind.startswith("memory:"):
            return memory(*map(int, kind.split(":")[1:]))
        return self.port() if kind == "port" else self.project()

    def project(self) -> str:
        return "mindgraph-" + hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:8]

    def port(self) -> str:
        # Runs of CI start at the same second: the first free port would be the same for all.
        wanted = list(range(20000, 30000) if os.environ.get("CI") else range(8000, 9000))
        if os.environ.get("CI"):
            random.SystemRandom().shuffle(wanted)
        for port in wanted:
            if str(port) not in self.ports and is_free(port):
                return str(port)
        reach = f"{min(wanted)} to {max(wanted)}"
        raise Refusal(f"no port from {reach} is free: stop a program or set the port yourself")


def memory(percent: int, least_mb: int) -> str:
    """A share of this machine's memory, in MB: a limit, so that all of them may be more than it."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return str(max(least_mb, pages // 1_048_576 * percent // 100))


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it a connection closed a minute ago makes a free port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def complaint(kind: str, entry: Entry) -> str:
    """What makes the value of a generated setting unusable, or nothing."""
    value = entry.value
    if kind == "port" and not (re.match(r"[0-9]{1,5}\Z", value) and 0 < int(value) < 65536):
        return f"{entry.name} is not a port: write a number from 1 to 65535"
    if kind == "project" and not re.match(r"[a-z0-9][a-z0-9_-]*\Z", value):
        return f"{entry.name} is not a project name: use a-z, 0-9, - and _, a-z or 0-9 first"
    return ""


def complete(text: str, example: Example, generators: Generators, new: bool) -> Outcome:
    """`text` with empty generated values filled in place and missing settings appended."""
    entries, kinds = scan(text, os.environ)[0], example.kinds()
    # A secret that comes from a file must not stand here as well.
    from_files = {e.name[:-5] for e in entries if e.name.endswith("_FILE") and e.value}
    pieces, position, filled = [], 0, []
    for entry in entries:
        blank = text[entry.start : entry.end] in ("", "''", '""')
        if entry.name in kinds and entry.name not in from_files and (blank or new):
            pieces += [text[position : entry.start], generators.make(entry.name)]
            position = entry.end
            filled.append(entry.name)
    known = from_files.union(entry.name for entry in entries)
    added = {}
    for entry in example.entries:
        if entry.name not in known:
            as_written = example.text[entry.start : entry.end]
            added[entry.name] = generators.make(entry.name) if entry.generator else as_written
    whole = "".join(pieces) + text[position:]
    return Outcome(append(whole, added), filled, list(added))


def append(text: str, settings: Mapping[str, str]) -> str:
    if not settings:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = ["# Added because .env.example has it and this file had not:"]
    lines += [f"{name}={value}" for name, value in settings.items()]
    gap = "" if not text or text.endswith("\n") else newline
    return text + gap + newline.join(lines) + newline


def check(text: str, label: str, example: Example, production: bool) -> list[str]:
    """Warnings about weak secrets; refuses them in production, and unusable values anywhere."""
    entries, kinds = scanned(text, label), example.kinds()
    stages = {entry.value for entry in entries if entry.name == "ENVIRONMENT"}
    production = production or "production" in stages | {os.environ.get("ENVIRONMENT")}
    problems, weak = [], []
    for entry in entries:
        kind = kinds.get(entry.name, "")
        wrong = complaint(kind, entry)
        if wrong:
            problems.append(Problem(entry.line, wrong))
        elif kind == "password" and entry.value and weakness(entry.name, entry.value):
            reason = f"{entry.name} {weakness(entry.name, entry.value)}"
            weak.append(Problem(entry.line, f"{reason}: empty it and the next run fills it"))
    refuse(label, problems + (weak if production else []))
    return [f"{label}:{line}: {reason} (production refuses it)" for line, reason in weak]


def refuse(label: str, problems: list[Problem]) -> None:
    if problems:
        raise Refusal("\n".join(f"{label}:{line}: {reason}" for line, reason in sorted(problems)))


def scanned(text: str, label: str) -> list[Entry]:
    entries, problems = scan(text, os.environ)
    refuse(label, problems)
    return entries


def read(path: Path, label: str) -> str:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refusal(f"{label}:1: the file is UTF-16 text: save it as UTF-8")
    return data.decode("utf-8", "surrogateescape")


def read_example(path: Path, production: bool) -> Example:
    label = shown(path)
    text = read(path, label)
    for entry in reversed(scanned(text, label) if production else []):
        value = IN_PRODUCTION.get(entry.name, text[entry.start : entry.end])
        text = text[: entry.start] + value + text[entry.end :]
    entries = scanned(text, label)
    unknown = [e for e in entries if e.generator and not KIND.match(e.generator)]
    wanted = "is unknown: use cores, memory:PERCENT:LEAST_MB, password, port or project"
    refuse(label, [Problem(e.line, f"`generated: {e.generator}` {wanted}") for e in unknown])
    return Example(text, entries)


def write(target: Path, text: str) -> None:
    """Replaces `target` in one step; it is never there half-written or readable by others."""
    for leftover in target.parent.glob(target.name + ".*.tmp"):
        leftover.unlink()
    owner = (target if target.exists() else target.parent).stat()
    handle, name = tempfile.mkstemp(".tmp", target.name + ".", target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            if os.geteuid() == 0:
                # `sudo make up` must not leave the user with a file that only root can read.
                os.fchown(handle, owner.st_uid, owner.st_gid)
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(handle)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Two runs in one checkout must agree on the secrets, so the second waits for the first."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some network and Windows disks have no locks; there, two runs at once stay a risk.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def close_to_others(target: Path, label: str, quiet: bool) -> None:
    mode = stat.S_IMODE(target.stat().st_mode)
    if mode == 0o600:
        return
    target.chmod(0o600)
    if stat.S_IMODE(target.stat().st_mode) != 0o600:
        fix = "move the checkout to a Linux disk"
        print(f"{label} can be read by others, as this disk keeps no modes: {fix}", file=sys.stderr)
    elif not quiet:
        print(f"{label}: mode set to 0600 (it was {mode:04o})")


def require_production(text: str, label: str) -> None:
    values = {entry.name: entry.value for entry in scanned(text, label)}
    if "COMPOSE_FILE" in values:
        # More files may come after production's, as docker/postgres/remote.yaml does.
        values["COMPOSE_FILE"] = ":".join(values["COMPOSE_FILE"].split(":")[:2])
    wrong = [
        f"{name}={value}"
        for name, value in IN_PRODUCTION.items()
        if values.get(name, value) != value
    ]
    if wrong:
        raise Refusal(
            f"{label} is not one of production, which has {', '.join(wrong)}: "
            "write that into it, or use a checkout of its own"
        )


def make_or_complete(args: Arguments, target: Path, label: str) -> None:
    new = not target.exists()
    if not new and not target.is_file():
        raise Refusal(f"{label} is not a file: move it away and run this again")
    example = read_example(args.example, args.production)
    before = example.text if new else read(target, label)
    generators = Generators(Path(os.path.realpath(args.file.parent)), example.kinds())
    if not new:
        generators.keep(scanned(before, label))
    after, filled, added = complete(before, example, generators, new)
    for warning in check(after, label, example, args.production):
        print(warning, file=sys.stderr)
    if args.production:
        require_production(after, label)
    if new or after != before:
        write(target, after)
    if new:
        count = sum(example.kinds()[name] == "password" for name in filled)
        print(f"made {label} with {count} generated secrets (mode 0600)")
    elif after != before:
        done = [("filled ", filled), ("added ", added)]
        print(f"{label}: " + "; ".join(verb + ", ".join(names) for verb, names in done if names))
    close_to_others(target, label, new)


class Arguments(argparse.Namespace):
    example: Path
    file: Path
    production: bool


def arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--example", type=Path, default=CHECKOUT / ".env.example")
    parser.add_argument("--file", type=Path, default=CHECKOUT / ".env")
    parser.add_argument(
        "--production",
        action="store_true",
        help="for a server: other values, and weak secrets refused",
    )
    return parser.parse_args(namespace=Arguments())


def shown(path: Path) -> str:
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near


def main() -> int:
    args = arguments()
    target, label = Path(os.path.realpath(args.file)), shown(args.file)
    try:
        with one_at_a_time(target.parent):
            make_or_complete(args, target, label)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except OSError as error:
        place = shown(Path(os.fsdecode(error.filename))) if error.filename else label
        reason = f"{error.strerror}: {remedy(error, target)}"
        print(f"{label} was left as it was, because {place} failed: {reason}", file=sys.stderr)
        return 1
    return 0


def remedy(error: OSError, target: Path) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"make it yours with `sudo chown $(id -u) {target}` and its folder writable"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space and run this again"
    if error.errno == errno.ENOENT:
        return "it has to be there, so restore it or name another"
    if error.errno == errno.EROFS:
        return "this disk is read-only, so put the checkout on one that can be written"
    return "put it right and run this again"


if __name__ == "__main__":
    sys.exit(main())
