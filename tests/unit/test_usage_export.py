import csv
import io
from datetime import date

import pytest

from app.usage import export
from app.usage.schemas import GROUPS, Statistics, StatisticsRow, Sums

NUMBERS = Sums(
    calls=2, failures=1, input_tokens=10, output_tokens=5, total_tokens=15, total_cost=1e-5
)


def lines(**row: object) -> list[list[str]]:
    made = StatisticsRow.model_validate(NUMBERS.model_dump() | row)
    day = date(2026, 1, 31)
    statistics = Statistics(first=day, last=day, time_zone="UTC", rows=[made], totals=NUMBERS)
    text = export.to_csv(statistics, list(GROUPS))
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_the_columns_are_the_groups_and_the_sums() -> None:
    header, row = lines(day=date(2026, 1, 31), user_id=1, login="alice@school.org")
    assert ",".join(header) == (
        "day,user_id,login,organization_id,organization,model_provider,model_name,"
        "calls,failures,input_tokens,output_tokens,total_tokens,total_cost"
    )
    assert row[:7] == ["2026-01-31", "1", "alice@school.org", "", "", "", ""]
    assert row[7:] == ["2", "1", "10", "5", "15", "0.00001"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_taken_for_a_formula(start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0"
    _, row = lines(model_name=evil, login=evil, organization=evil, model_provider=evil)
    assert [row[at] for at in (2, 4, 5, 6)] == [f"'{evil}"] * 4


@pytest.mark.parametrize(
    "text", ['a "quoted", text', "two\r\nlines", "学校，一", "qwen-plus", "a=b"]
)
def test_other_text_is_kept_as_it_is(text: str) -> None:
    assert lines(organization=text)[1][4] == text


@pytest.mark.parametrize(
    ("cost", "shown"), [(0.0, "0"), (20.0, "20"), (1e9, "1000000000"), (0.1 + 0.2, "0.3")]
)
def test_numbers_are_plain(cost: float, shown: str) -> None:
    assert lines(total_cost=cost)[1][-1] == shown
