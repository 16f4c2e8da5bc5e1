"""The recorder: what it acknowledges is committed, once, in fewer transactions than calls."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event, select, text

from app.auth.models import ApiKey
from app.clock import now
from app.db import engine as engines
from app.db.session import Database
from app.errors import Conflict
from app.organizations.models import Organization
from app.settings import Settings
from app.usage import recorder as recorders
from app.usage import service
from app.usage.errors import RecorderClosed, RecorderFull
from app.usage.recorder import Recorder
from app.usage.schemas import UsageEvent, UsageIn
from app.users.models import User
from app.users.schemas import UserOut
from tests import usage
from tests.commands import wait_until
from tests.people import ALICE, BOB, CHARLIE

NOBODY = 999_999


@pytest.fixture
def recorder(database: Database) -> Iterator[Recorder]:
    made = Recorder(database)
    yield made
    made.close()


@contextmanager
def commits(database: Database) -> Iterator[list[int]]:
    """Counts the transactions that wrote something."""
    seen: list[int] = []

    def note(_connection: Any) -> None:
        seen.append(1)

    event.listen(database.engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "commit", note)


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Lets nobody else write usage during the block."""
    engine = engines.build_direct(settings, name="test")
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE token_usage IN SHARE MODE"))
        else:
            # It takes the write lock when it begins.
            connection.execute(text("SELECT 1"))
        yield
        connection.rollback()
    engine.dispose()


def begun(database: Database) -> threading.Event:
    """Set when the next transaction has its connection."""
    happened = threading.Event()
    event.listen(database.engine, "checkout", lambda *_: happened.set())
    return happened


@contextmanager
def waiting(
    settings: Settings,
    database: Database,
    recorder: Recorder,
    calls: Sequence[Sequence[UsageEvent]],
) -> Iterator[list[Future[int]]]:
    """The calls, side by side: the first is under way during the block, and the others wait.

    After the block all of them have their answers.
    """
    started = begun(database)
    with ThreadPoolExecutor(len(calls)) as pool, held(settings):
        answers = [pool.submit(recorder.record, calls[0])]
        assert started.wait(30)
        answers += [pool.submit(recorder.record, events) for events in calls[1:]]
        rows = sum(len(events) for events in calls[1:])
        wait_until(lambda: recorder.waiting == rows, "the others wait")
        yield answers


def user_out(database: Database, user_id: int) -> UserOut:
    with database.read() as session:
        return UserOut.model_validate(session.get(User, user_id))


def test_an_event_is_stored_with_all_its_fields(database: Database, recorder: Recorder) -> None:
    call = UsageIn(
        session_id="s",
        conversation_id="c",
        model_provider="dashscope",
        model_name="qwen-plus",
        model_alias="qwen",
        input_tokens=2**31 - 2,
        output_tokens=1,
        input_cost=0.25,
        output_cost=0.5,
        request_type="diagram_generation",
        diagram_type="mind_map",
        endpoint_path="/api/生成",
        success=False,
        response_time=1.5,
    )
    alice = user_out(database, ALICE.id)
    found = service.record(recorder, alice, [call])
    (row,) = usage.stored(database)
    assert (found.recorded, found.duplicates) == (1, 0)
    for name, value in call.model_dump(exclude={"event_id", "total_cost"}).items():
        assert getattr(row, name) == value, name
    assert row.event_id == str(call.event_id)
    assert (row.user_id, row.organization_id) == (ALICE.id, alice.organization_id)
    assert (row.total_tokens, row.total_cost) == (2**31 - 1, 0.75)


def test_an_event_that_comes_again_counts_once(database: Database, recorder: Recorder) -> None:
    first, second = usage.event(), usage.event()
    again = UsageEvent(first.call, BOB.id, None)
    assert recorder.record([first, second, first]) == 2
    assert recorder.record([again, usage.event()]) == 1
    rows = usage.stored(database)
    assert len(rows) == 3
    assert [row.user_id for row in rows if row.event_id == first.event_id] == [ALICE.id]


def test_twenty_threads_leave_exact_sums(database: Database, recorder: Recorder) -> None:
    def work(number: int) -> int:
        new = 0
        for at in range(15):
            events = [
                usage.event(input_tokens=number, output_tokens=at),
                # Everybody sends these.
                usage.event(event_id=uuid.UUID(int=at), input_tokens=1_000, output_tokens=0),
            ]
            new += recorder.record(events)
        return new

    with ThreadPoolExecutor(20) as pool:
        new = sum(pool.map(work, range(20)))
    rows = usage.stored(database)
    assert new == len(rows) == 20 * 15 + 15
    assert sum(row.total_tokens for row in rows) == 15 * 190 + 20 * 105 + 15 * 1_000


def test_callers_who_wait_share_a_transaction(
    settings: Settings, database: Database, recorder: Recorder
) -> None:
    calls = [[usage.event(), usage.event()] for _ in range(20)]
    with commits(database) as seen, waiting(settings, database, recorder, calls) as answers:
        pass
    assert [answer.result() for answer in answers] == [2] * 20
    assert len(usage.stored(database)) == 40
    assert len(seen) == 2


def test_a_transaction_has_an_end(
    settings: Settings, database: Database, recorder: Recorder
) -> None:
    size = recorders.BATCH_ROWS // 2
    calls = [[usage.event() for _ in range(size)] for _ in range(5)]
    with commits(database) as seen, waiting(settings, database, recorder, calls) as answers:
        pass
    assert [answer.result() for answer in answers] == [size] * 5
    assert len(seen) == 3


def test_a_call_larger_than_a_transaction_is_stored_whole(
    database: Database, recorder: Recorder
) -> None:
    many = [usage.event() for _ in range(recorders.BATCH_ROWS * 3 + 1)]
    with commits(database) as seen:
        assert recorder.record(many) == len(many)
    assert len(usage.stored(database)) == len(many)
    assert len(seen) == 1


def test_one_who_sends_what_can_not_be_stored_harms_nobody(
    settings: Settings, database: Database, recorder: Recorder
) -> None:
    good = [[usage.event()] for _ in range(4)]
    # Past what a payload may say, and past what the schema lets through.
    call = UsageIn(input_tokens=1)
    bad = UsageEvent(call.model_copy(update={"input_tokens": -1, "output_tokens": 1}), 1, 1)
    with waiting(settings, database, recorder, [[usage.event()], *good, [bad]]) as answers:
        pass
    assert [answer.result() for answer in answers[:-1]] == [1] * 5
    with pytest.raises(Conflict):
        answers[-1].result()
    assert len(usage.stored(database)) == 5
    assert recorder.record([usage.event()]) == 1


def test_when_too_much_waits_more_is_refused_and_nothing_of_it_stored(
    settings: Settings, database: Database
) -> None:
    recorder = Recorder(database, queue_rows=10)
    calls = [[usage.event()], [usage.event() for _ in range(10)]]
    with waiting(settings, database, recorder, calls) as answers:
        with pytest.raises(RecorderFull) as refused:
            recorder.record([usage.event()])
        assert refused.value.status == 503
    recorder.close()
    assert [answer.result() for answer in answers] == [1, 10]
    assert len(usage.stored(database)) == 11


def test_a_stop_stores_what_waits_and_takes_no_more(settings: Settings, database: Database) -> None:
    recorder = Recorder(database)
    closing = threading.Thread(target=recorder.close)
    calls = [[usage.event()] for _ in range(6)]
    with waiting(settings, database, recorder, calls) as answers:
        closing.start()
    closing.join()
    assert [answer.result() for answer in answers] == [1] * 6
    assert len(usage.stored(database)) == 6
    with pytest.raises(RecorderClosed):
        recorder.record([usage.event()])


def test_what_was_spent_is_stored_when_who_spent_it_is_gone(
    database: Database, recorder: Recorder
) -> None:
    with database.begin() as session:
        kept = Organization(code="K", name="Kept", created_at=now())
        gone = Organization(code="G", name="Gone", created_at=now())
        key = ApiKey(key_hash="h", prefix="p", name="n", user_id=ALICE.id, created_at=now())
        session.add_all([kept, gone, key])
    with database.begin() as session:
        session.execute(delete(User).where(User.id == CHARLIE.id))
        session.execute(delete(Organization).where(Organization.id == gone.id))
    events = [
        usage.event(CHARLIE, kept.id),
        usage.event(BOB, gone.id),
        UsageEvent(UsageIn(), ALICE.id, kept.id, NOBODY),
        UsageEvent(UsageIn(), ALICE.id, kept.id, key.id),
    ]
    assert recorder.record(events) == 4
    rows = {row.event_id: row for row in usage.stored(database)}
    found = [rows[one.event_id] for one in events]
    assert [(row.user_id, row.organization_id, row.api_key_id) for row in found] == [
        (None, kept.id, None),
        (BOB.id, None, None),
        (ALICE.id, kept.id, None),
        (ALICE.id, kept.id, key.id),
    ]


def test_a_user_who_is_deleted_while_usage_is_recorded_leaves_it_in_the_sums(
    settings: Settings, database: Database, recorder: Recorder
) -> None:
    """The deletion is under way when the recorder looks, and is finished before it writes."""
    engine = engines.build_direct(settings, name="test")
    started = begun(database)
    with ThreadPoolExecutor(1) as pool, engine.connect() as deleting:
        deleting.execute(delete(User).where(User.id == CHARLIE.id))
        answer = pool.submit(recorder.record, [usage.event(CHARLIE)])
        assert started.wait(30)
        deleting.commit()
        assert answer.result() == 1
    engine.dispose()
    with database.read() as session:
        assert session.scalar(select(User).where(User.id == CHARLIE.id)) is None
    assert [row.user_id for row in usage.stored(database)] == [None]


def test_several_recorders_that_get_the_same_events_count_each_once(settings: Settings) -> None:
    databases = [Database(engines.build(settings, name="test", threads=1)) for _ in range(3)]
    several = [Recorder(database) for database in databases]
    events = [usage.event() for _ in range(200)]
    turned = [events, events[::-1], events[100:] + events[:100]]
    with ThreadPoolExecutor(3) as pool:
        counts = list(pool.map(Recorder.record, several, turned))
    for recorder, database in zip(several, databases, strict=True):
        recorder.close()
        assert len(usage.stored(database)) == 200
        database.close()
    assert sum(counts) == 200
