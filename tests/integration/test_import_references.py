"""Rows that refer to nothing are in quarantine, and so is what refers to them, down to the last."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import imports
from tests.imports import Import
from tests.servers import Servers

TARGET = (
    "CREATE TABLE parents (id int8 PRIMARY KEY, name varchar(5))",
    "CREATE TABLE children (id int8 PRIMARY KEY, parent int8 REFERENCES parents)",
    "CREATE TABLE grandchildren (id int8 PRIMARY KEY,"
    " child int8 NOT NULL REFERENCES children ON DELETE CASCADE)",
    "CREATE TABLE tree (id int8 PRIMARY KEY, above int8 REFERENCES tree)",
    "CREATE TABLE teams (id int8 PRIMARY KEY, captain int8)",
    "CREATE TABLE players (id int8 PRIMARY KEY, team int8 NOT NULL REFERENCES teams)",
    "ALTER TABLE teams ADD CONSTRAINT teams_captain FOREIGN KEY (captain) REFERENCES players"
    " DEFERRABLE INITIALLY DEFERRED",
    "CREATE TABLE pairs (a int4, b text, UNIQUE (a, b))",
    "CREATE TABLE of_pairs (id int8 PRIMARY KEY, a int4, b text, FOREIGN KEY (a, b)"
    " REFERENCES pairs (a, b))",
    "CREATE TABLE full_pairs (id int8 PRIMARY KEY, a int4, b text, FOREIGN KEY (a, b)"
    " REFERENCES pairs (a, b) MATCH FULL)",
    "CREATE TABLE unchecked (id int8 PRIMARY KEY, parent int8)",
    "ALTER TABLE unchecked ADD CONSTRAINT unchecked_parent FOREIGN KEY (parent)"
    " REFERENCES parents NOT VALID",
    "CREATE TABLE elsewhere (id int8 PRIMARY KEY)",
    "INSERT INTO elsewhere VALUES (1)",
    "CREATE TABLE guests (id int8 PRIMARY KEY, place int8 REFERENCES elsewhere)",
    'CREATE TABLE "10%" ("of%s" int8 PRIMARY KEY, "up%" int8 REFERENCES "10%")',
    "CREATE TABLE text_ids (id text PRIMARY KEY, above text REFERENCES text_ids)",
    "CREATE TABLE logs (parent int8 REFERENCES parents, line text)",
)
FILE = (
    "CREATE TABLE parents (id INTEGER PRIMARY KEY, name)",
    "INSERT INTO parents VALUES (1, 'good'), (2, 'too long'), (3, 'good')",
    "CREATE TABLE children (id INTEGER PRIMARY KEY, parent REFERENCES parents)",
    "INSERT INTO children VALUES (1, 1), (2, 2), (3, 9), (4, NULL), (5, '1'), (6, '9')",
    "CREATE TABLE grandchildren (id INTEGER PRIMARY KEY, child)",
    "INSERT INTO grandchildren VALUES (1, 1), (2, 2), (3, 3), (4, 8), (5, 4)",
    "CREATE TABLE tree (id INTEGER PRIMARY KEY, above)",
    "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 3), (4, 99), (5, 4), (6, 5), (7, 8), (8, 7)",
    "CREATE TABLE teams (id INTEGER PRIMARY KEY, captain)",
    "INSERT INTO teams VALUES (1, 11), (2, 99), (3, NULL), (4, 14)",
    "CREATE TABLE players (id INTEGER PRIMARY KEY, team)",
    "INSERT INTO players VALUES (11, 1), (12, 2), (13, 3), (14, 5)",
    "CREATE TABLE pairs (a, b)",
    "INSERT INTO pairs VALUES (1, 'x'), (1, 'y'), (NULL, 'z'), ('bad', 'x')",
    "CREATE TABLE of_pairs (id INTEGER PRIMARY KEY, a, b)",
    "INSERT INTO of_pairs VALUES (1, 1, 'x'), (2, 1, 'z'), (3, 1, NULL), (4, NULL, 'q')",
    "CREATE TABLE full_pairs (id INTEGER PRIMARY KEY, a, b)",
    "INSERT INTO full_pairs VALUES (1, 1, 'y'), (2, 2, 'y'), (3, 1, NULL), (4, NULL, NULL)",
    "CREATE TABLE unchecked (id INTEGER PRIMARY KEY, parent)",
    "INSERT INTO unchecked VALUES (1, 1), (2, 9)",
    "CREATE TABLE guests (id INTEGER PRIMARY KEY, place)",
    "INSERT INTO guests VALUES (1, 1), (2, 2)",
    'CREATE TABLE "10%" ("of%s" INTEGER PRIMARY KEY, "up%")',
    'INSERT INTO "10%" VALUES (1, 1), (2, 3)',
    "CREATE TABLE text_ids (id TEXT PRIMARY KEY, above) WITHOUT ROWID",
    "INSERT INTO text_ids VALUES ('a', NULL), ('b', 'a'), ('c', 'q'), ('d', 'c'), ('水', '循')",
    "CREATE TABLE logs (parent, line)",
    "INSERT INTO logs VALUES (1, 'a'), (1, 'a'), (9, 'a'), (2, 'b')",
)


def _missing(table: str, values: str) -> str:
    return f"refers to a row of {table} that the file doesn't have ({values})"


def _refused(table: str, values: str) -> str:
    return f"refers to a row of {table} that is in quarantine ({values})"


# By table: the rows of the target, and of those in quarantine the rowid or key and the reason.
CASES: dict[str, tuple[imports.Rows, list[tuple[str, str]]]] = {
    "children": (
        [(1, 1), (4, None), (5, 1)],
        [
            ("2", _refused("parents", "parent 2")),
            ("3", _missing("parents", "parent 9")),
            ("6", _missing("parents", "parent 9")),
        ],
    ),
    "grandchildren": (
        [(1, 1), (5, 4)],
        [
            ("2", _refused("children", "child 2")),
            ("3", _refused("children", "child 3")),
            ("4", _missing("children", "child 8")),
        ],
    ),
    "tree": (
        [(1, None), (2, 1), (3, 3), (7, 8), (8, 7)],
        [
            ("4", _missing("tree", "above 99")),
            ("5", _refused("tree", "above 4")),
            ("6", _refused("tree", "above 5")),
        ],
    ),
    "teams": (
        [(1, 11), (3, None)],
        [("2", _missing("players", "captain 99")), ("4", _refused("players", "captain 14"))],
    ),
    "players": (
        [(11, 1), (13, 3)],
        [("12", _refused("teams", "team 2")), ("14", _missing("teams", "team 5"))],
    ),
    "of_pairs": (
        [(1, 1, "x"), (3, 1, None), (4, None, "q")],
        [("2", _missing("pairs", "a 1, b z"))],
    ),
    "full_pairs": (
        [(1, 1, "y"), (4, None, None)],
        [("2", _missing("pairs", "a 2, b y")), ("3", _missing("pairs", "a 1, b None"))],
    ),
    "unchecked": ([(1, 1), (2, 9)], []),
    "guests": ([(1, 1)], [("2", _missing("elsewhere", "place 2"))]),
    "10%": ([(1, 1)], [("2", _missing("10%", "up% 3"))]),
    "text_ids": (
        [("a", None), ("b", "a")],
        [
            ('{"id": "c"}', _missing("text_ids", "above q")),
            ('{"id": "d"}', _refused("text_ids", "above c")),
            ('{"id": "水"}', _missing("text_ids", "above 循")),
        ],
    ),
    "logs": (
        [(1, "a"), (1, "a")],
        [("3", _missing("parents", "parent 9")), ("4", _refused("parents", "parent 2"))],
    ),
}


@pytest.fixture(scope="module")
def moved(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    with imports.prepared(servers, tmp_path_factory.mktemp("references")) as made:
        made.on_server(*TARGET)
        made.on_file(*FILE)
        made.run()
        yield made


@pytest.mark.parametrize("table", CASES)
def test_only_rows_that_refer_to_nothing_are_in_quarantine(moved: Import, table: str) -> None:
    rows, refused = CASES[table]
    assert moved.rows(table) == rows
    assert moved.refused(table) == [(key, None, reason) for key, reason in refused]


def test_each_foreign_key_is_as_it_was(moved: Import) -> None:
    found = moved.select(
        "SELECT conname, convalidated, condeferrable, condeferred FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        " AND (NOT convalidated OR condeferrable) ORDER BY 1"
    )
    assert found == [("teams_captain", True, True, True), ("unchecked_parent", False, False, False)]
    ((count,),) = moved.select(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"
        " AND connamespace = 'public'::regnamespace"
    )
    assert count == sum("REFERENCES" in statement for statement in TARGET)


def test_the_proof_finds_nothing_wrong(moved: Import) -> None:
    report = moved.said()
    assert report.proof
    assert report.proof.problems == ()
    assert (report.verdict, report.exit_code) == ("identical except quarantine", 3)


def test_a_dry_run_minds_references_between_tables_that_the_file_lacks(
    servers: Servers, tmp_path: Path
) -> None:
    with imports.prepared(servers, tmp_path) as made:
        made.on_server(
            "CREATE TABLE parents (id int8 PRIMARY KEY)",
            "CREATE TABLE newer (id int8 PRIMARY KEY, parent int8 REFERENCES parents)",
            "CREATE TABLE newest (newer int8 REFERENCES newer ON DELETE CASCADE)",
        )
        made.on_file("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        made.put("parents", (1,))
        for is_dry_run in (True, False):
            assert made.run(is_dry_run=is_dry_run).verdict == "identical"
