from collections.abc import Iterator

import pytest

from app.knowledge.tools import Tools
from app.settings import Settings
from tests import documents
from tests.openai_server import OpenAIServer


@pytest.fixture
def models() -> Iterator[OpenAIServer]:
    """The embedder and the language model, which are as quick as a test needs them."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, models: OpenAIServer) -> Settings:
    return settings.model_copy(update=models.settings)


@pytest.fixture
def tools(settings: Settings) -> Iterator[Tools]:
    """The worker's: `documents.work` does what is due."""
    with documents.tools(settings) as made:
        yield made
