"""Reports of imports as they come, for tests of how they are told."""

from dataclasses import replace

from app.ops.migrate.results import ColumnProof, Pair, Proof, QuarantinedRow, Report, TableProof

SUM = "9f86d081884c7d65"


def same(value: str | None) -> Pair:
    return Pair(value, value)


LEAST, MOST, EQUAL_SUM = same("1"), same("99"), same(SUM)


def column(
    name: str,
    *,
    least: Pair = LEAST,
    most: Pair = MOST,
    checksum: Pair = EQUAL_SUM,
) -> ColumnProof:
    return ColumnProof(name, name, same("0"), least, most, checksum)


COLUMNS = (column("id"), column("name", least=same("Ada"), most=same("张伟")))


def table(
    name: str,
    rows: int = 3,
    *,
    columns: tuple[ColumnProof, ...] = COLUMNS,
    quarantined: int = 0,
) -> TableProof:
    return TableProof(name, "public", name, same(str(rows)), quarantined, columns, seconds=0.1)


def proof(*tables: TableProof, problems: tuple[str, ...] = ()) -> Proof:
    return Proof(tables, {"constraints": 12, "sequences": 3}, problems, 1.5)


def identical(*tables: TableProof) -> Report:
    return Report(
        source="data/mindgraph.db",
        target="postgresql://mindgraph_owner@db/mindgraph",
        is_dry_run=False,
        started_at="2026-01-25T08:00:00+00:00",
        source_bytes=946_000_000,
        seconds={"copy": 12.34, "indexes": 8.0},
        rows_read=1200,
        moves=("users -> public.users",),
        left_out=(("document_chunks_fts5", "virtual", "an index, which the rows bring again"),),
        quarantined=(),
        quarantined_total=0,
        proof=proof(*(tables or (table("users", 1200), table("diagrams", 7)))),
        verdict="identical",
    )


def with_quarantine() -> Report:
    row = QuarantinedRow("users", '{"id": 7}', "created_at", "'yesterday' is no time")
    return replace(
        identical(table("users", 1197, quarantined=3)),
        quarantined=(row, replace(row, key='{"id": 8}', column=None)),
        quarantined_total=3,
        remarks=("2 people share a phone number.",),
        verdict="identical except quarantine",
    )


def different() -> Report:
    spec = column("spec", checksum=Pair(SUM, "0000"), most=Pair("9", None))
    lost = replace(table("diagrams", columns=(column("id"), spec)), rows=Pair("7", "6"))
    problems = ("index ix_diagrams_user_id is missing",)
    proved = proof(table("users"), lost, problems=problems)
    return replace(identical(), proof=proved, verdict="failed")
