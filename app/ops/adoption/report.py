"""What an adoption tells people."""

from collections.abc import Iterator, Sequence

from app.ops.adoption.results import Adopted, Left

# All of them are told to programs.
MOST_IDS = 20


def lines(done: Adopted) -> Iterator[str]:
    verb = "would be taken over" if done.is_dry_run else "taken over"
    documents = done.from_files + done.from_passages
    yield (
        f"documents {verb}: {documents:,}, {done.from_files:,} with their file and "
        f"{done.from_passages:,} as the text of their passages"
    )
    if done.same:
        yield f"documents whose owner has the same content already: {done.same:,}"
    yield f"searches {verb}: {done.searches:,}, with {done.feedback:,} opinions"
    if done.before:
        yield f"documents and searches that an earlier run took over: {done.before:,}"
    if done.over_quota:
        yield (
            "users who have more documents than they may upload now, and keep them: "
            f"{_listed(done.over_quota)}"
        )
    yield from _grouped("left where they are", done.left)
    yield from _grouped("taken over without a part", done.unfit)
    if done.stays:
        tables = ", ".join(f"{name} ({rows:,})" for name, rows in done.stays.items())
        yield f"tables that have no place here, and stay: {tables}"


def _grouped(heading: str, rows: Sequence[Left]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[int]] = {}
    for one in rows:
        groups.setdefault((one.table, one.reason), []).append(one.id)
    if groups:
        yield f"{heading}:"
    for (table, reason), ids in groups.items():
        yield f"  {table}, {reason}: {_listed(ids)}"


def _listed(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:MOST_IDS]))
    return f"{shown} and {len(ids) - MOST_IDS:,} more" if len(ids) > MOST_IDS else shown
