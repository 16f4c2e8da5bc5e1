"""Runs one import as a program of its own, for tests that end it: python -m tests.chaos.importer

Its argument is JSON. It tells each phase on its standard output as it begins, and the exit code is
the command's.
"""

import json
import sys
from pathlib import Path
from typing import Any

from app.errors import AppError
from app.ops.migrate import importing, verify
from app.ops.migrate.importing import Options
from app.ops.migrate.plans import Rules


class Told:
    """Progress as lines."""

    def phase(self, name: str, _total: int = 0, _unit: str = "") -> None:
        self._say(f"phase {name}")

    def advance(self, count: int) -> None:
        self._say(f"advance {count}")

    def remark(self, text: str) -> None:
        self._say(f"remark {text}")

    def _say(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def main(given: dict[str, Any]) -> int:
    # Of a few thousand rows there shall be many parts, and processes also in the proof.
    importing.PART_ROWS = given["part_rows"]
    verify.WORTH_PROCESSES = given["worth_processes"]
    options = Options(
        source=Path(given["source"]),
        dsn=given["dsn"],
        shown="the target",
        rules=Rules(defaults={("notes", "kind"): "'none'"}),
        begin=given["begin"],
        jobs=2,
        on_bad_row=given["on_bad_row"],
    )
    try:
        report = importing.run(options, Told())
    except AppError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    sys.stdout.write(f"verdict {report.verdict}\n")
    if report.proof:
        sys.stderr.writelines(f"{problem}\n" for problem in report.proof.problems)
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
