"""An import's report as JSON for programs, and as lines for a terminal."""

import json
from collections.abc import Iterable, Iterator, Sequence

from app.ops.migrate import widths
from app.ops.migrate.results import ColumnProof, Pair, Proof, Report, TableProof

# Grows when a key of the JSON goes or changes its meaning. New keys may come at any time.
FORMAT = 1
# The longest name or value on a terminal, in columns.
LONGEST = 48
# The rows in quarantine that are shown on a terminal; the JSON has all that the report has.
SHOWN_ROWS = 10
SHOWN_PROBLEMS = 50
DASH = "-"


def to_json(report: Report) -> str:
    """One object, indented, with these keys:

    format, verdict ("identical", "identical except quarantine", "failed"), exit_code, sentence,
    problem (a sentence, "" when nothing went wrong), is_dry_run, source, target, started_at,
    source_bytes, rows_read, seconds ({phase: seconds} in their order), moves ([text]),
    left_out ([{name, kind, reason}]), quarantined_total, quarantined (the first: [{table, key,
    column, reason}], key as JSON text), remarks ([text]), and proof, null when nothing was
    compared, else {is_equal, seconds, problems ([text]), checked ({what: how many}),
    tables ([{source, schema, target, is_equal, quarantined, seconds, rows, columns ([{source,
    target, is_equal, nulls, least, most, checksum}])}])}. rows, nulls, least, most and checksum are
    {source, target}, each a text or null; rows.source leaves out what is in quarantine.
    """
    made = json.dumps(_object(report), ensure_ascii=False, indent=2)
    # Names of files need not be text. What UTF-8 can't hold becomes \uXXXX, as JSON has it.
    return made.encode("utf-8", "backslashreplace").decode() + "\n"


def lines(report: Report) -> list[str]:
    """The report for people, the verdict last, where they look first."""
    parts = [
        [f"{report.source} ({report.source_bytes / 1e6:,.1f} MB) -> {report.target}"],
        _tables(report),
        _problems(report),
        _quarantine(report),
        _titled("left out:", [f"{kind} {name}: {why}" for name, kind, why in report.left_out]),
        _titled("remarks:", report.remarks),
        _titled("seconds:", _aligned(_seconds(report), "lr")),
        [sentence(report)],
    ]
    shown = [[widths.printable(line) for line in part] for part in parts if part]
    return [line for part in shown for line in (*part, "")][:-1]


def sentence(report: Report) -> str:
    """What came of it, for people who read nothing else."""
    if report.verdict == "failed":
        return f"FAILED: {report.problem or _what_differs(report)}"
    kept = f"{counted(report.quarantined_total, 'row')}"
    if report.is_dry_run:
        if not report.quarantined_total:
            return "DRY RUN: nothing was changed. Every row has its place."
        return f"DRY RUN: nothing was changed. {kept} would go to quarantine."
    if report.quarantined_total:
        return (
            f"IDENTICAL EXCEPT QUARANTINE: {kept} could not be stored as they were, and wait in "
            "legacy.import_quarantine with every value; all others are equal."
        )
    return "IDENTICAL: every row of the file is in PostgreSQL, and equal."


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def move_name(table: TableProof) -> str:
    """A table's name, and the one in PostgreSQL where it is another."""
    if (table.schema, table.target) == ("public", table.source):
        return table.source
    return f"{table.source} -> {table.schema}.{table.target}"


def in_file(table: TableProof) -> str:
    """All rows of the file's table, also those in quarantine."""
    rows = table.rows.source
    return f"{int(rows) + table.quarantined:,}" if rows and rows.isdecimal() else rows or DASH


def in_target(table: TableProof) -> str:
    rows = table.rows.target
    return f"{int(rows):,}" if rows and rows.isdecimal() else rows or DASH


def differences(table: TableProof) -> list[str]:
    """What is not equal, as "rows" or names of the file's columns."""
    found = [] if table.rows.is_equal else ["rows"]
    return found + [one.source for one in table.columns if not one.is_equal]


def differing(proof: Proof) -> list[str]:
    """Sentences: what is not equal, and where."""
    tables = [
        f"{move_name(one)} differs in {', '.join(differences(one))}"
        for one in proof.tables
        if not one.is_equal
    ]
    return [*tables, *proof.problems]


def _what_differs(report: Report) -> str:
    if report.proof is None:
        return "the import did not come to its end."
    different = sum(not one.is_equal for one in report.proof.tables)
    parts = [counted(different, "table")] if different else []
    if report.proof.problems:
        parts.append(counted(len(report.proof.problems), "problem"))
    found = " and ".join(parts)
    return f"PostgreSQL differs from the file: {found}." if found else "see the problems above."


def _tables(report: Report) -> list[str]:
    if report.proof is None:
        return list(report.moves)
    heads = ("table", "file", "PostgreSQL", "quarantine", "")
    cells = [heads, *(_table(one) for one in report.proof.tables)]
    checked = [f"{number:,} {what}" for what, number in report.proof.checked.items()]
    return _aligned(cells, "lrrrl") + ([f"checked too: {', '.join(checked)}"] if checked else [])


def _table(table: TableProof) -> tuple[str, ...]:
    different = differences(table)
    return (
        move_name(table),
        in_file(table),
        in_target(table),
        f"{table.quarantined:,}",
        f"DIFFERS: {', '.join(different)}" if different else "equal",
    )


def _problems(report: Report) -> list[str]:
    proof = report.proof
    found = list(proof.problems) if proof else []
    return _titled("problems:", _first(found, SHOWN_PROBLEMS, len(found)))


def _quarantine(report: Report) -> list[str]:
    rows = [
        (one.table, one.key, one.column or "(row)", one.reason)
        for one in report.quarantined[:SHOWN_ROWS]
    ]
    shown = _aligned(rows, "llll")
    return _titled("quarantine:", _first(shown, SHOWN_ROWS, report.quarantined_total))


def _first(found: list[str], most: int, total: int) -> list[str]:
    shown = found[:most]
    more = total - len(shown)
    return [*shown, f"... and {more:,} more"] if more > 0 else shown


def _seconds(report: Report) -> Iterator[tuple[str, str]]:
    for phase, seconds in report.seconds.items():
        yield phase, f"{seconds:.1f}"
    yield "all", f"{sum(report.seconds.values()):.1f}"


def _titled(title: str, found: Sequence[str]) -> list[str]:
    return [title, *(f"  {line}" for line in found)] if found else []


def _aligned(rows: Iterable[tuple[str, ...]], sides: str) -> list[str]:
    """Rows with columns as wide as their widest cell; the last one is never cut."""
    last = len(sides) - 1
    cells = [
        [
            widths.printable(cell) if at == last else widths.cut(widths.printable(cell), LONGEST)
            for at, cell in enumerate(row)
        ]
        for row in rows
    ]
    columns = [max(map(widths.width, column)) for column in zip(*cells, strict=True)]
    side = {"l": widths.left, "r": widths.right}
    return [
        "  ".join(
            side[kind](cell, width) for kind, cell, width in zip(sides, row, columns, strict=True)
        ).rstrip()
        for row in cells
    ]


def _object(report: Report) -> dict[str, object]:
    return {
        "format": FORMAT,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "sentence": sentence(report),
        "problem": report.problem,
        "is_dry_run": report.is_dry_run,
        "source": report.source,
        "target": report.target,
        "started_at": report.started_at,
        "source_bytes": report.source_bytes,
        "rows_read": report.rows_read,
        "seconds": report.seconds,
        "moves": report.moves,
        "left_out": [
            {"name": name, "kind": kind, "reason": reason} for name, kind, reason in report.left_out
        ],
        "quarantined_total": report.quarantined_total,
        "quarantined": [
            {"table": one.table, "key": one.key, "column": one.column, "reason": one.reason}
            for one in report.quarantined
        ],
        "remarks": report.remarks,
        "proof": _proof(report),
    }


def _proof(report: Report) -> dict[str, object] | None:
    proof = report.proof
    if proof is None:
        return None
    return {
        "is_equal": proof.is_equal,
        "seconds": proof.seconds,
        "problems": proof.problems,
        "checked": proof.checked,
        "tables": [
            {
                "source": one.source,
                "schema": one.schema,
                "target": one.target,
                "is_equal": one.is_equal,
                "quarantined": one.quarantined,
                "seconds": one.seconds,
                "rows": _pair(one.rows),
                "columns": [_column(column) for column in one.columns],
            }
            for one in proof.tables
        ],
    }


def _column(column: ColumnProof) -> dict[str, object]:
    return {
        "source": column.source,
        "target": column.target,
        "is_equal": column.is_equal,
        "nulls": _pair(column.nulls),
        "least": _pair(column.least),
        "most": _pair(column.most),
        "checksum": _pair(column.checksum),
    }


def _pair(pair: Pair) -> dict[str, str | None]:
    return {"source": pair.source, "target": pair.target}
