from collections.abc import Iterator

import pytest

from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.people import ALICE, BOB


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
