"""Whatever is made, pinned, changed and deleted: pages have each diagram once, in their order."""

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.cache.client import Client
from app.cache.entries import Cache
from app.db.session import Database
from app.diagrams import service, trash
from app.diagrams.schemas import DiagramFilter, DiagramIn, DiagramPatch, DiagramSummary
from app.http.etags import ANY
from app.settings import Settings
from tests.people import ALICE

SPEC = {"topic": "水", "children": []}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "create", "pin", "unpin", "change", "delete"]),
        st.integers(0, 20),
    ),
    max_size=25,
)


def do(database: Database, settings: Settings, steps: list[tuple[str, int]]) -> None:
    live: list[str] = []
    for action, at in steps:
        with database.begin() as session:
            if action == "create":
                payload = DiagramIn(title=f"{at} water", diagram_type="mind_map", spec=SPEC)
                live.append(service.create(session, settings, ALICE.id, payload).id)
            elif live:
                one = live[at % len(live)]
                if action == "change":
                    change = DiagramPatch(title=f"changed {at} water")
                    service.change(session, settings, ALICE.id, one, change, ANY)
                elif action == "delete":
                    trash.put(session, settings, ALICE.id, one)
                    live.remove(one)
                else:
                    pinned = action == "pin"
                    service.pin(session, ALICE.id, one, ANY, pinned=pinned)


def pages(
    database: Database, cache: Cache, limit: int, chosen: DiagramFilter
) -> list[DiagramSummary]:
    found: list[DiagramSummary] = []
    cursor = None
    while True:
        page = service.list_page(
            database, cache, ALICE.id, limit=limit, cursor=cursor, chosen=chosen
        )
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == limit


def of_trash(database: Database, limit: int) -> list[DiagramSummary]:
    found: list[DiagramSummary] = []
    cursor = None
    while True:
        page = service.list_trash(database, ALICE.id, limit=limit, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@examples(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, limit=st.integers(1, 12))
def test_pages_of_any_size_have_each_diagram_once_and_in_order(
    settings: Settings,
    database: Database,
    cache: Client,
    steps: list[tuple[str, int]],
    limit: int,
) -> None:
    with database.begin() as session:
        service.delete_all_of(session, ALICE.id)
    do(database, settings, steps)
    copies = Cache(cache)
    everything = sorted(
        pages(database, copies, 100, DiagramFilter(search="water")),
        key=lambda one: (one.is_pinned, one.updated_at, one.id),
        reverse=True,
    )
    with database.read() as session:
        in_trash = service.count_all_of(session, ALICE.id).diagrams - len(everything)
    cache.flushdb()
    assert pages(database, copies, limit, DiagramFilter()) == everything
    assert pages(database, copies, limit, DiagramFilter(search="wat")) == everything
    for pinned in (True, False):
        expected = [one for one in everything if one.is_pinned is pinned]
        assert pages(database, copies, limit, DiagramFilter(pinned=pinned)) == expected
    thrown = of_trash(database, limit)
    assert len({one.id for one in thrown}) == len(thrown) == in_trash
    assert thrown == sorted(
        thrown, key=lambda one: (one.is_pinned, one.updated_at, one.id), reverse=True
    )
