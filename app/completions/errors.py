from app.errors import AppError, InvalidInput, Unavailable


class LanguageModelUnavailable(Unavailable):
    """The language model doesn't answer; try again shortly."""


class LanguageModelMisconfigured(AppError):
    """A setting of the language model is wrong; whoever runs this service has to change it."""

    status = 503
    # No sooner will anybody have changed it.
    retry_after = 300


class LanguageModelRefused(InvalidInput):
    """The language model doesn't take these messages."""
