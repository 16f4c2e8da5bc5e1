"""The files that benchmarks leave: figures, and all that says where they come from."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app import clock
from benchmarks.load import environment
from tests.places import CHECKOUT
from tests.servers import Servers

FOLDER = CHECKOUT / "build" / "bench"


@dataclass(frozen=True)
class Options:
    """What the command line says: seconds of each load, rounds of all loads."""

    seconds: int
    rounds: int
    full: bool


def options(about: str | None, *, seconds: int, rounds: int = 1) -> Options:
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=seconds, help="of each load")
    parser.add_argument("--rounds", type=int, default=rounds, help="of all loads")
    parser.add_argument("--full", action="store_true", help="with all that takes long")
    return Options(**vars(parser.parse_args()))


@dataclass
class Recording:
    """A run of a benchmark from its begin on, which `keep` ends."""

    name: str
    parameters: dict[str, Any]
    began: str = field(default_factory=lambda: clock.now().isoformat(timespec="seconds"))
    load_before: float = field(default_factory=environment.load_average)
    servers: dict[str, str] = field(default_factory=dict)

    def meet(self, servers: Servers) -> None:
        """Notes the versions of the servers while they are there."""
        self.servers = environment.servers(servers)

    def keep(self, figures: Any) -> Path:
        """As build/bench/NAME.json."""
        command = ["python", "-m", f"benchmarks.load.{self.name}", *sys.argv[1:]]
        found = {
            "command": shlex.join(command),
            "began": self.began,
            "ended": clock.now().isoformat(timespec="seconds"),
            "commit": environment.commit(),
            "machine": environment.machine(),
            "load_average": {"begin": self.load_before, "end": environment.load_average()},
            "packages": environment.packages(),
            "servers": self.servers,
            "parameters": self.parameters,
            "figures": figures,
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{self.name}.json"
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
        return path


def read(name: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """What the last run left; None without one."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
