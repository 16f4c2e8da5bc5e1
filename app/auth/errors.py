from app.errors import Conflict, Forbidden, NotFound, TooMany, Unauthorized


class WrongCredentials(Unauthorized):
    """This login name and password don't belong together."""


class NotLoggedIn(Unauthorized):
    """Log in first: POST /api/auth/login."""


class InvalidKey(Unauthorized):
    """This API key is unknown, switched off or expired."""


class ScopeMissing(Forbidden):
    """This API key isn't good for this."""


class KeyWithoutUser(Forbidden):
    """This API key belongs to no user, and so has nothing to show; make one of your own."""


class KeyNotFound(NotFound):
    """You have no API key with this id."""


class KeyLimitReached(Conflict):
    """You have as many API keys as you may; delete one first."""


class KeyQuotaReached(TooMany):
    """All calls of this API key are used up; its owner can let its quota begin anew."""

    # It doesn't come back by itself; nobody should ask more often.
    retry_after = 3_600
