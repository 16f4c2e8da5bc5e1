"""What a benchmark found: medians, as a table, as JSON, and as Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.import_sqlite import ours
from benchmarks.import_sqlite.measure import Taken

MEGABYTE = 1_000_000
HEADS = (
    "contender",
    "s",
    "least",
    "most",
    "rows/s",
    "CPU s",
    "server s",
    "others s",
    "peak MB",
    "right",
)
OURS, PGLOADER, FLOOR = "ours", "pgloader", "floor"


@dataclass(frozen=True)
class Turn:
    """One run of a contender, and what it got wrong."""

    wall_s: float
    client_cpu_s: float
    server_cpu_s: float
    others_cpu_s: float
    peak_bytes: int
    phases: dict[str, float] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    @classmethod
    def of(cls, taken: Taken, phases: dict[str, float], wrong: Iterable[str]) -> Turn:
        return cls(
            taken.wall_s,
            taken.client_cpu_s,
            taken.server_cpu_s,
            taken.others_cpu_s,
            taken.peak_bytes,
            phases,
            tuple(wrong),
        )


@dataclass(frozen=True)
class Result:
    """`turns` are by contender, in their order: the first of each belong to the first round."""

    rows: int
    source_bytes: int
    versions: dict[str, str]
    turns: dict[str, list[Turn]]

    def table(self) -> list[str]:
        rows = [HEADS, *(self._row(name) for name in self.turns)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
        lines = [
            "  ".join(
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        return [*lines, "", *self._phases(), "", *self._ratios(), *self._wrong()]

    def markdown(self) -> str:
        lines = [self._caption(), "", _line(HEADS), _line(["---", *["---:"] * (len(HEADS) - 1)])]
        lines += [_line(self._row(name)) for name in self.turns]
        lines += ["", *(f"- {line}" for line in (*self._ratios(), *self._wrong()))]
        return "\n".join([*lines, ""])

    def to_json(self) -> str:
        made = {
            "rows": self.rows,
            "source_bytes": self.source_bytes,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"processors": os.cpu_count(), "kernel": platform.release()},
            "versions": self.versions,
            "ratios": self.ratios(),
            "turns": {name: [asdict(one) for one in turns] for name, turns in self.turns.items()},
        }
        return json.dumps(made, indent=2, ensure_ascii=False) + "\n"

    def ratios(self) -> dict[str, float]:
        """Medians of what each round gives, as other work of the machine slows a whole round."""
        made = {}
        floors = [
            min(turn.wall_s for turn in turns)
            for turns in zip(
                *(turns for name, turns in self.turns.items() if name.startswith(FLOOR)),
                strict=True,
            )
        ]
        own = self.turns.get(OURS)
        if own and floors:
            copies = [turn.phases[ours.COPY] for turn in own]
            made["ours, loading / floor"] = _middle_ratio(copies, floors)
            made["ours, all / floor"] = _middle_ratio([turn.wall_s for turn in own], floors)
        if own and PGLOADER in self.turns:
            theirs = [turn.wall_s for turn in self.turns[PGLOADER]]
            made["ours, all / pgloader"] = _middle_ratio([turn.wall_s for turn in own], theirs)
        return made

    def write(self, file: Path) -> None:
        """As JSON, and as Markdown beside it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.to_json(), encoding="utf-8")
        file.with_suffix(".md").write_text(self.markdown(), encoding="utf-8")

    def _row(self, name: str) -> tuple[str, ...]:
        turns = self.turns[name]
        walls = [turn.wall_s for turn in turns]
        middle = statistics.median(walls)
        peak = statistics.median(turn.peak_bytes for turn in turns) / MEGABYTE
        client = statistics.median(turn.client_cpu_s for turn in turns)
        server = statistics.median(turn.server_cpu_s for turn in turns)
        others = statistics.median(turn.others_cpu_s for turn in turns)
        return (
            name,
            f"{middle:.1f}",
            f"{min(walls):.1f}",
            f"{max(walls):.1f}",
            f"{self.rows / middle:,.0f}",
            f"{client:.1f}" if client else "-",
            f"{server:.1f}",
            f"{others:.1f}",
            f"{peak:.0f}" if peak else "-",
            "no" if any(turn.wrong for turn in turns) else "yes",
        )

    def _phases(self) -> list[str]:
        turns = self.turns.get(OURS, [])
        names = turns[0].phases if turns else {}
        parts = [
            f"{name} {statistics.median(turn.phases.get(name, 0.0) for turn in turns):.1f} s"
            for name in names
        ]
        return [f"ours: {', '.join(parts)}"] if parts else []

    def _ratios(self) -> list[str]:
        return [f"{name}: {ratio:.2f}" for name, ratio in self.ratios().items()]

    def _wrong(self) -> list[str]:
        found = []
        for name, turns in self.turns.items():
            wrong = list(dict.fromkeys(one for turn in turns for one in turn.wrong))
            if wrong:
                more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
                found.append(f"{name} got wrong: {'; '.join(wrong[:3])}{more}")
        return found

    def _caption(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        size = f"{self.rows:,} rows, a file of {self.source_bytes / MEGABYTE:,.0f} MB"
        rounds = max(len(turns) for turns in self.turns.values())
        return f"{size}; medians of {rounds} rounds on {os.cpu_count()} processors; {versions}."


def _middle_ratio(first: list[float], second: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
