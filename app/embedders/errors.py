from app.errors import AppError, InvalidInput, Unavailable


class EmbedderUnavailable(Unavailable):
    """The embedder doesn't answer; try again shortly."""


class ModelBusy(Unavailable):
    """Too many wait for the same model at this moment; try again shortly."""


class EmbedderMisconfigured(AppError):
    """A setting of the embedder is wrong; whoever runs this service has to change it."""

    status = 503
    # No sooner will anybody have changed it.
    retry_after = 300


class EmbedderRefused(InvalidInput):
    """The embedder doesn't take this text."""
