"""Statistics as CSV (RFC 4180, UTF-8)."""

import csv
import io
from collections.abc import Sequence
from datetime import date

from app.usage.schemas import GROUPS, Group, Statistics, Sums

# What makes a spreadsheet take a text for a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(statistics: Statistics, groups: Sequence[Group]) -> str:
    """A line with the names of the columns, then one for each row."""
    columns = [name for group in groups for name in GROUPS[group]] + list(Sums.model_fields)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in statistics.rows:
        writer.writerow([_cell(getattr(row, name)) for name in columns])
    return text.getvalue()


def _cell(value: str | float | date | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        # Never like 1e-05, which not every program reads.
        return f"{value:.9f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return str(value)
