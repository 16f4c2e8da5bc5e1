"""An import's report as one HTML file that needs nothing else, and trusts nothing in the data."""

import html
from collections.abc import Iterable, Sequence
from string import Template

from app.ops.migrate import report as reports
from app.ops.migrate import widths
from app.ops.migrate.results import ColumnProof, Pair, Report, TableProof, Verdict

# Characters of a value that are shown; the whole is in its title.
LONGEST = 40
KINDS: dict[Verdict, str] = {
    "identical": "good",
    "identical except quarantine": "warn",
    "failed": "bad",
}
# The policy forbids whatever slipped through the escaping.
PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Import of $title</title>
<style>
:root { --good: #1a7f37; --warn: #9a6700; --bad: #cf222e; --line: #d0d7de; --soft: #f6f8fa }
@media (prefers-color-scheme: dark) {
  :root { --good: #3fb950; --warn: #d29922; --bad: #f85149; --line: #3d444d; --soft: #151b23 }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.3rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.verdict { border-left: .4rem solid; padding: .6rem 1rem; background: var(--soft) }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0;
  border-bottom: 1px solid var(--line) }
.number { text-align: right; font-variant-numeric: tabular-nums }
details { border-bottom: 1px solid var(--line); padding: .3rem 0 }
summary { cursor: pointer; overflow-wrap: anywhere }
dt { font-weight: 600 } dd, li, p { overflow-wrap: anywhere } dd { margin: 0 0 .5rem }
</style>
</head>
<body>
$body
</body>
</html>
""")


def to_html(report: Report) -> str:
    sections = [
        "<h1>Import of a SQLite file</h1>",
        _verdict(report),
        _facts(report),
        _list("Problems", report.proof.problems if report.proof else ()),
        _quarantine(report),
        _tables(report),
        _left_out(report),
        _list("Remarks", report.remarks),
        _list("What went where", report.moves),
        _seconds(report),
    ]
    body = "\n".join(section for section in sections if section)
    return PAGE.substitute(title=_text(report.source), body=body)


def _verdict(report: Report) -> str:
    return f'<p class="verdict {KINDS[report.verdict]}">{_text(reports.sentence(report))}</p>'


def _facts(report: Report) -> str:
    facts = {
        "File": f"{report.source} ({report.source_bytes / 1e6:,.1f} MB)",
        "PostgreSQL": report.target,
        "Started": report.started_at,
        "Rows read": f"{report.rows_read:,}",
        "In quarantine": reports.counted(report.quarantined_total, "row"),
        "Seconds": f"{sum(report.seconds.values()):.1f}",
    }
    if report.proof and report.proof.checked:
        checked = [f"{number:,} {what}" for what, number in report.proof.checked.items()]
        facts["Checked beside the rows"] = ", ".join(checked)
    listed = "".join(f"<dt>{name}</dt><dd>{_text(fact)}</dd>" for name, fact in facts.items())
    return f"<dl>{listed}</dl>"


def _tables(report: Report) -> str:
    if report.proof is None:
        return ""
    return "<h2>Tables</h2>\n" + "\n".join(_table(one) for one in report.proof.tables)


def _table(table: TableProof) -> str:
    kind, word = ("good", "equal") if table.is_equal else ("bad", "DIFFERS")
    said = [f"{reports.in_file(table)} in the file", f"{reports.in_target(table)} in PostgreSQL"]
    if table.quarantined:
        said.append(f"{table.quarantined:,} in quarantine")
    summary = (
        f'<span class="{kind}">{word}</span> {_cut(reports.move_name(table), 80)}: '
        f"{_text(', '.join(said))}"
    )
    heads = ("column", "", "nulls", "least", "most", "checksum")
    columns = _grid(heads, [row for column in table.columns for row in _column(column)])
    opened = "" if table.is_equal else " open"
    return f"<details{opened}><summary>{summary}</summary>\n{columns}</details>"


def _column(column: ColumnProof) -> Iterable[str]:
    """One row where both sides are equal, else one for each side."""
    pairs = (column.nulls, column.least, column.most, column.checksum)
    name = _cell(_column_name(column))
    if column.is_equal:
        yield name + _cell("both") + "".join(_cell(pair.source) for pair in pairs)
        return
    yield name + _cell("file") + "".join(_side(pair, pair.source) for pair in pairs)
    yield _cell("") + _cell("PostgreSQL") + "".join(_side(pair, pair.target) for pair in pairs)


def _column_name(column: ColumnProof) -> str:
    if column.source == column.target:
        return column.source
    return f"{column.source} -> {column.target}"


def _side(pair: Pair, value: str | None) -> str:
    return _cell(value, "" if pair.is_equal else "bad")


def _quarantine(report: Report) -> str:
    if not report.quarantined:
        return ""
    rows = [
        _cell(one.table) + _cell(one.key) + _cell(one.column or "(row)") + _cell(one.reason)
        for one in report.quarantined
    ]
    more = report.quarantined_total - len(rows)
    note = f"<p>And {more:,} more; legacy.import_quarantine has them all.</p>" if more > 0 else ""
    return "<h2>Quarantine</h2>\n" + _grid(("table", "key", "column", "reason"), rows) + note


def _left_out(report: Report) -> str:
    if not report.left_out:
        return ""
    rows = ["".join(_cell(part) for part in one) for one in report.left_out]
    return "<h2>Left out</h2>\n" + _grid(("name", "kind", "why nothing is lost"), rows)


def _seconds(report: Report) -> str:
    rows = [
        f'{_cell(phase)}<td class="number">{seconds:.1f}</td>'
        for phase, seconds in report.seconds.items()
    ]
    return "<h2>Seconds</h2>\n" + _grid(("phase", "seconds"), rows) if rows else ""


def _list(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    listed = "".join(f"<li>{_text(one)}</li>" for one in sentences)
    return f"<h2>{title}</h2>\n<ul>{listed}</ul>"


def _grid(heads: Iterable[str], rows: Iterable[str]) -> str:
    """A table of rows that are HTML already."""
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join(f"<tr>{one}</tr>\n" for one in rows)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}</table></div>'


def _cell(value: str | None, kind: str = "") -> str:
    shown = "-" if value is None else _cut(value, LONGEST)
    return f'<td class="{kind}">{shown}</td>' if kind else f"<td>{shown}</td>"


def _cut(value: str, longest: int) -> str:
    if len(value) <= longest:
        return _text(value)
    short = _text(value[: longest - 1] + widths.ELLIPSIS)
    return f'<span title="{_text(value)}">{short}</span>'


def _text(value: str) -> str:
    return html.escape(widths.printable(value))
