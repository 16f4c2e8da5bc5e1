from collections.abc import Iterator

import pytest
from sqlalchemy import update

from app.settings import Settings
from app.users.models import User
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE, BOB, ROOT


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    with serving(settings) as running:
        yield running


@pytest.fixture
def anybody(service: Service) -> Browser:
    return service.browser()


@pytest.fixture
def alice(service: Service) -> Browser:
    return service.browser_of(ALICE)


@pytest.fixture
def bob(service: Service) -> Browser:
    return service.browser_of(BOB)


@pytest.fixture
def root(service: Service) -> Browser:
    """The administrator."""
    return service.browser_of(ROOT)


@pytest.fixture
def manager(service: Service) -> Browser:
    """Bob, as the manager of his and alice's school."""
    with service.app.state.database.begin() as session:
        session.execute(update(User).where(User.id == BOB.id).values(role="manager"))
    return service.browser_of(BOB)
