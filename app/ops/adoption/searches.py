"""Old searches and what was said about them, as the start of one's history."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import get_args

from app import clock
from app.db.session import Database
from app.knowledge.models import Feedback, Search
from app.knowledge.schemas import LONGEST_QUERY, Mode
from app.ops.adoption import values
from app.ops.adoption.results import Adopted, Left
from app.ops.adoption.tables import FEEDBACK, QUERIES, Note, OldTables, Row
from app.users import service as users

PAGE = 500
COLUMNS = ("id", "user_id", "query", "method", "total_ms", "created_at")
OF_FEEDBACK = ("id", "user_id", "feedback_type", "created_at")
MODES = get_args(Mode)
USEFUL = {"positive": True, "negative": False}
# The history is in the order of its numbers. Old searches come before all that people have asked
# since, so theirs are below zero, in the order of the old ones.
BEFORE_ALL = -(2**40)


class Unusable(Exception):
    """An old search that can't be taken over; the message says why."""


def adopt(old: OldTables, database: Database, days: int, done: Adopted) -> None:
    """Takes over what wasn't yet, and adds to `done` what was done.

    Args:
        days: for how long searches are kept; older ones would be deleted at once.

    Raises:
        Unavailable: what was taken over stays so.
    """
    oldest = clock.now() - timedelta(days=days)
    for rows in old.pages(QUERIES, COLUMNS, PAGE):
        before = old.noted(QUERIES, [row["id"] for row in rows])
        done.before += len(before)
        new = [row for row in rows if row["id"] not in before]
        said = old.of(FEEDBACK, "query_id", [row["id"] for row in new], OF_FEEDBACK)
        ids = {one for row in new if (one := values.whole(row["user_id"])) is not None}
        with database.read() as session:
            there = users.logins(session, ids).keys()
        searches: list[Search] = []
        feedback: list[Feedback] = []
        for row in new:
            try:
                search = _search(row, there, oldest)
            except Unusable as error:
                done.left.append(Left(QUERIES, row["id"], str(error)))
                continue
            searches.append(search)
            feedback += _feedback(search, said[row["id"]], done)
        if searches and not done.is_dry_run:
            with database.begin() as session:
                session.add_all(searches)
                session.flush()
                session.add_all(feedback)
                old.note(session, QUERIES, [_note(one) for one in searches])
        done.searches += len(searches)
        done.feedback += len(feedback)


def _search(row: Row, there: Collection[int], oldest: datetime) -> Search:
    """Raises Unusable."""
    user_id, asked = values.whole(row["user_id"]), values.text(row["query"]).strip()
    mode, created_at = values.text(row["method"]), values.moment(row["created_at"])
    if user_id not in there:
        raise Unusable("its user is gone")
    if not asked:
        raise Unusable("it asks for nothing")
    if mode not in MODES:
        raise Unusable("there is no such kind of search any more")
    if created_at is None:
        raise Unusable("its date can't be understood")
    if created_at < oldest:
        raise Unusable("it is older than searches are kept")
    return Search(
        id=BEFORE_ALL + row["id"],
        user_id=user_id,
        query=asked[:LONGEST_QUERY],
        mode=mode,
        kind="search",
        # Of passages that are no more.
        hits=[],
        milliseconds=round(values.real(row["total_ms"]), 1),
        created_at=created_at,
    )


def _feedback(search: Search, said: Sequence[Row], done: Adopted) -> list[Feedback]:
    """What the owner said last about the whole."""
    fitting: list[tuple[datetime, int, bool]] = []
    for row in said:
        useful = USEFUL.get(values.text(row["feedback_type"]))
        if values.whole(row["user_id"]) != search.user_id:
            done.left.append(Left(FEEDBACK, row["id"], "it is not of whoever searched"))
        elif useful is None:
            done.left.append(Left(FEEDBACK, row["id"], "it says neither yes nor no"))
        else:
            at = values.moment(row["created_at"]) or search.created_at
            fitting.append((at, row["id"], useful))
    fitting.sort()
    superseded = [Left(FEEDBACK, one, "something else was said later") for _, one, _ in fitting]
    done.left += superseded[:-1]
    return [
        Feedback(search_id=search.id, rank=0, useful=useful, created_at=at)
        for at, _, useful in fitting[-1:]
    ]


def _note(search: Search) -> Note:
    return Note(search.id - BEFORE_ALL, str(search.id))
