"""How long the import of a big SQLite file takes, beside pgloader and the least that is possible.

Run it from the checkout, after `make build`: .venv/bin/python -m benchmarks.import_sqlite
    [--rounds N] [--scale PART] [--results FILE.json]

Each run of each contender loads the same file into its own copy of one prepared schema with all
keys, constraints and indexes, on one PostgreSQL in memory; they take turns, so that other work of
the machine slows all. Afterwards every row is compared with the file. The floor is the server
alone: COPY of ready files of its own, two at once, into tables without keys or indexes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.import_sqlite import compare, floor, measure, ours, pgloader, source
from benchmarks.import_sqlite import server as servers
from benchmarks.import_sqlite.measure import Failed, Taken
from benchmarks.import_sqlite.result import FLOOR, OURS, PGLOADER, Result, Turn
from benchmarks.import_sqlite.server import Server

RESULTS = Path(__file__).parents[1] / "results" / "import_sqlite.json"
Load = Callable[[str, Path, Path], Taken]


class Bench:
    """One source, one server, and what every contender has to bring about."""

    def __init__(self, server: Server, file: Path, folder: Path) -> None:
        self.server = server
        self.file = file
        self.folder = folder
        with server.connected(server.name) as cursor:
            self.types = compare.columns(cursor)
            self.objects = compare.objects(cursor)
        self.sums = compare.sums_of_file(file, self.types)

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.sums.values())

    def turn(self, load: Load) -> Turn:
        with self.server.database() as name:
            self.server.settle()
            used, busy = self.server.cpu_seconds(), measure.busy_seconds()
            taken = load(self.server.url(name), self.file, self.folder)
            busy = measure.busy_seconds() - busy
            used = self.server.cpu_seconds() - used
            others = max(busy - used - taken.client_cpu_s, 0.0)
            taken = replace(taken, server_cpu_s=used, others_cpu_s=others)
            wrong = list(self.wrong(name))
        if load is not ours.load:
            return Turn.of(taken, {}, wrong)
        report = ours.report_of(self.folder)
        return Turn.of(taken, ours.phases(report), [*wrong, *ours.doubts(report)])

    def wrong(self, name: str) -> Iterator[str]:
        """In what a filled database differs from the file and the prepared schema."""
        url = self.server.url(name)
        with self.server.connected(name) as cursor:
            yield from compare.missing(self.objects, cursor)
        yield from compare.differences(self.file, url, self.sums, self.types)


def main() -> None:
    options = _options()
    say(f"making the source, {options.scale:g} of its full size")
    file = source.made(options.scale)
    contenders: dict[str, Load] = {OURS: ours.load}
    if pgloader.version():
        contenders[PGLOADER] = pgloader.load
    else:
        say(pgloader.INSTALL)
    with servers.started() as server, tempfile.TemporaryDirectory() as folder:
        try:
            found = run(Bench(server, file, Path(folder)), contenders, options.rounds)
        except Failed as error:
            raise SystemExit(str(error)) from error
    found.write(options.results)
    sys.stdout.write("\n".join([*found.table(), "", f"written to {options.results}", ""]))


def run(bench: Bench, contenders: dict[str, Load], rounds: int) -> Result:
    say("writing the files of the floor")
    parts = floor.export(bench.server, bench.file, bench.types)
    turns: dict[str, list[Turn]] = {}
    for number in range(1, rounds + 1):
        for name, load in contenders.items():
            say(f"round {number} of {rounds}: {name}")
            turns.setdefault(name, []).append(bench.turn(load))
        for kind in floor.FORMATS:
            say(f"round {number} of {rounds}: floor, {kind}")
            taken = floor.load(bench.server, parts, kind, bench.sums)
            turns.setdefault(f"{FLOOR}, {kind}", []).append(Turn.of(taken, {}, ()))
    versions = {"PostgreSQL": bench.server.version()}
    if PGLOADER in contenders:
        versions[PGLOADER] = pgloader.version() or ""
    return Result(bench.rows, bench.file.stat().st_size, versions, turns)


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmark of the import of SQLite files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the rows of full size")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
