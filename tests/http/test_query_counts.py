"""Lists take as many SQL statements for many rows as for one.

Those of diagrams, organizations, users, audit events and usage are counted beside their tests.
"""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from app.cache import keys
from app.settings import Settings
from tests.http.browsers import Service, serving
from tests.http.test_api_keys import make as make_key
from tests.http.test_diagram_versions import rename
from tests.http.test_diagrams import save
from tests.http.uploads import replace, search, upload
from tests.people import ALICE, BOB, Person

MANY = 30


@pytest.fixture
def roomy(settings: Settings) -> Iterator[Service]:
    """The service with room for many of everything."""
    room = {"diagram_version_limit": MANY, "keys_per_user": MANY, "session_device_limit": MANY}
    with serving(settings.model_copy(update=room)) as service:
        yield service


# Each gives one user `count` rows and returns the path of their list.
Fill = Callable[[Service, Person, int], str]


def in_trash(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    for _ in range(count):
        assert browser.delete(f"/api/diagrams/{save(browser)}").status_code == 204
    return "/api/diagrams/trash?limit=100"


def versions(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    diagram = save(browser)
    rename(browser, diagram, *(f"{at}" for at in range(count)))
    return f"/api/diagrams/{diagram}/versions"


def api_keys(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    for _ in range(count):
        make_key(browser)
    return "/api/keys"


def sessions(service: Service, person: Person, count: int) -> str:
    # The one that asks is listed as well.
    for _ in range(count - 1):
        service.browser_of(person)
    return "/api/auth/sessions"


def uploads(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    for at in range(count):
        upload(browser, f"text {at}", tags=["a", "b", f"{at}"])
    return "/api/knowledge/documents?limit=100"


def uploaded_versions(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    made = upload(browser, "text")["id"]
    for at in range(count - 1):
        replace(browser, made, f"text {at}")
    return f"/api/knowledge/documents/{made}/versions"


def searches(service: Service, person: Person, count: int) -> str:
    browser = service.browser_of(person)
    for at in range(count):
        search(browser, f"text {at}", mode="keyword")
    return "/api/knowledge/history?limit=100"


def forget_copies(redis: Redis) -> None:
    """Empties Redis, but for the sessions."""
    kept = (keys.session("").encode(), keys.sessions_of(0)[:-1].encode())
    for key in redis.scan_iter():
        if not key.startswith(kept):
            redis.delete(key)


@pytest.mark.parametrize(
    "fill", [in_trash, versions, api_keys, sessions, uploads, uploaded_versions, searches]
)
def test_many_rows_take_no_more_statements_than_one(roomy: Service, fill: Fill) -> None:
    counts = []
    for person, rows in ((ALICE, 1), (BOB, MANY)):
        path = fill(roomy, person, rows)
        browser = roomy.browser_of(person)
        forget_copies(roomy.app.state.redis)
        with roomy.statements() as seen:
            found = browser.get(path).json()
        assert len(found if isinstance(found, list) else found["items"]) == rows
        counts.append(len(seen))
    assert counts[0] == counts[1] > 0
