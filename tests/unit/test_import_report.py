import json
from dataclasses import replace

import pytest

from app.ops.migrate import report as reports
from app.ops.migrate import widths
from app.ops.migrate.results import Pair, QuarantinedRow
from tests.unit.reports import different, identical, table, with_quarantine


def test_the_lines_tell_each_table_and_the_verdict_last() -> None:
    assert reports.lines(identical()) == [
        "data/mindgraph.db (946.0 MB) -> postgresql://mindgraph_owner@db/mindgraph",
        "",
        "table      file  PostgreSQL  quarantine",
        "users     1,200       1,200           0  equal",
        "diagrams      7           7           0  equal",
        "checked too: 12 constraints, 3 sequences",
        "",
        "left out:",
        "  virtual document_chunks_fts5: an index, which the rows bring again",
        "",
        "seconds:",
        "  copy     12.3",
        "  indexes   8.0",
        "  all      20.3",
        "",
        "IDENTICAL: every row of the file is in PostgreSQL, and equal.",
    ]


def test_rows_in_quarantine_are_counted_shown_and_named() -> None:
    lines = reports.lines(with_quarantine())
    assert "users  1,200       1,197           3  equal" in lines
    at = lines.index("quarantine:")
    assert lines[at + 1 : at + 4] == [
        """  users  {"id": 7}  created_at  'yesterday' is no time""",
        """  users  {"id": 8}  (row)       'yesterday' is no time""",
        "  ... and 1 more",
    ]
    assert "  2 people share a phone number." in lines
    assert lines[-1].startswith("IDENTICAL EXCEPT QUARANTINE: 3 rows could not be stored")


def test_what_differs_is_named() -> None:
    lines = reports.lines(different())
    assert "diagrams     7           6           0  DIFFERS: rows, spec" in lines
    assert "  index ix_diagrams_user_id is missing" in lines
    assert lines[-1] == "FAILED: PostgreSQL differs from the file: 1 table and 1 problem."


def test_a_failure_before_the_proof_tells_its_problem() -> None:
    stopped = replace(identical(), proof=None, verdict="failed", problem="the disk is full")
    assert "users -> public.users" in reports.lines(stopped)
    assert reports.lines(stopped)[-1] == "FAILED: the disk is full"
    silent = replace(stopped, problem="")
    assert reports.sentence(silent) == "FAILED: the import did not come to its end."


@pytest.mark.parametrize(
    ("total", "said"), [(0, "Every row has its place."), (1, "1 row would go to quarantine.")]
)
def test_a_dry_run_says_that_nothing_was_changed(total: int, said: str) -> None:
    dry = replace(identical(), is_dry_run=True, proof=None, quarantined_total=total)
    assert reports.sentence(dry) == f"DRY RUN: nothing was changed. {said}"


def test_another_name_in_postgresql_is_told() -> None:
    kept = replace(table("captchas", 5), schema="legacy")
    assert reports.lines(identical(kept))[3].split("  ")[0] == "captchas -> legacy.captchas"


def test_chinese_names_keep_the_columns_aligned() -> None:
    lines = reports.lines(identical(table("用户表", 5), table("users", 12), table("👩‍🏫", 3)))
    rows = [line for line in lines if line.endswith("equal")][:3]
    assert [widths.width(row) for row in rows] == [widths.width(rows[0])] * 3
    assert rows[0].startswith("用户表   ")


def test_hostile_names_can_not_steer_a_terminal() -> None:
    row = QuarantinedRow("a\x1b[31m", "{}", "b\r\n", "\x9b2J")
    report = replace(
        identical(table("x\x1b]0;gone\x07\ny" + "z" * 500)),
        source="\x1b[2J\udc80.db",
        quarantined=(row,),
        quarantined_total=1,
        left_out=(("v\x1bw", "view", "why"),),
        remarks=("\x1b",),
        problem="\x1bdone",
        verdict="failed",
    )
    lines = reports.lines(report)
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 120
    assert r"x\x1b]0;gone\x07\ny" in "\n".join(lines)


def test_thousands_of_tables_and_problems_stay_readable() -> None:
    many = identical(*(table(f"table_{number}") for number in range(3000)))
    assert many.proof
    proof = replace(many.proof, problems=tuple(f"problem {number}" for number in range(3000)))
    lines = reports.lines(replace(many, proof=proof, verdict="failed"))
    assert sum(line.startswith("table_") for line in lines) == 3000
    assert "  problem 49" in lines
    assert "  problem 50" not in lines
    assert "  ... and 2,950 more" in lines


def test_a_side_without_rows_is_a_dash() -> None:
    missing = replace(table("users"), rows=Pair("3", None))
    assert "users     3           -           0  DIFFERS: rows" in reports.lines(identical(missing))


def test_the_json_has_the_documented_keys() -> None:
    made = json.loads(reports.to_json(with_quarantine()))
    documented = (reports.to_json.__doc__ or "").replace("\n", " ")
    proof = made["proof"]
    (users,) = proof["tables"]
    for keys in (made, proof, users, users["columns"][0], made["quarantined"][0]):
        assert [key for key in keys if key not in documented] == []
    assert (made["format"], made["verdict"], made["exit_code"]) == (
        1,
        "identical except quarantine",
        3,
    )
    assert users["rows"] == {"source": "1197", "target": "1197"}
    assert users["columns"][1]["most"] == {"source": "张伟", "target": "张伟"}
    assert made["quarantined"][1]["column"] is None
    assert list(made["seconds"]) == ["copy", "indexes"]
    assert made["left_out"][0]["kind"] == "virtual"


def test_the_json_can_be_written_whatever_names_hold() -> None:
    report = replace(identical(), source="\udc80\x00\n</script>.db", proof=None)
    made = reports.to_json(report)
    assert json.loads(made.encode())["source"] == report.source
    assert json.loads(made)["proof"] is None


def test_a_side_that_differs_is_told_in_the_json() -> None:
    made = json.loads(reports.to_json(different()))
    users, diagrams = made["proof"]["tables"]
    assert (made["exit_code"], made["proof"]["is_equal"], users["is_equal"]) == (1, False, True)
    assert diagrams["columns"][1]["checksum"] == {"source": "9f86d081884c7d65", "target": "0000"}
    assert [one["is_equal"] for one in diagrams["columns"]] == [True, False]
