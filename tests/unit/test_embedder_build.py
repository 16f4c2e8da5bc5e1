import pytest

from app.embedders import build, nano
from app.embedders.errors import EmbedderMisconfigured
from app.embedders.nano import Nano
from app.embedders.remote import Remote
from app.settings import Settings

REMOTE = Settings(embedder="openai", embedder_url="http://127.0.0.1:9", embedder_model="bge-m3")


def test_the_built_in_one_is_the_default() -> None:
    embedder = build.build(Settings(), threads=1)
    assert isinstance(embedder, Nano)
    assert embedder.model == nano.MODEL
    embedder.close()


def test_settings_can_name_a_server() -> None:
    embedder = build.build(REMOTE)
    assert isinstance(embedder, Remote)
    assert embedder.model == "bge-m3"
    embedder.close()


def test_an_index_is_searched_with_what_it_was_made_with() -> None:
    built_in = build.build(REMOTE, model=nano.MODEL, threads=1)
    assert isinstance(built_in, Nano)
    built_in.close()
    other = build.build(REMOTE, model="bge-small", dimension=512)
    assert (other.model, other.dimension) == ("bge-small", 512)
    other.close()


def test_a_model_of_a_server_that_is_not_set_any_more_is_a_wrong_setting() -> None:
    with pytest.raises(EmbedderMisconfigured, match=r"^EMBEDDER_URL: missing; the model 'bge-m3'"):
        build.build(Settings(), model="bge-m3")
