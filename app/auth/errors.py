from app.errors import Conflict, Forbidden, InvalidInput, NotFound, TooMany, Unauthorized


class WrongCredentials(Unauthorized):
    """This login name and password don't belong together."""


class NotLoggedIn(Unauthorized):
    """Log in first: POST /api/auth/login."""


class LoginLocked(TooMany):
    """Too many wrong passwords for this login name; wait, or solve a captcha."""


class InvalidCaptcha(InvalidInput):
    """The captcha was not solved, or is no longer good; POST /api/auth/captcha makes another."""


class WrongPassword(Forbidden):
    """This is not your current password."""


class PasswordIsLogin(InvalidInput):
    """The password must not be the login name."""


class InvalidResetToken(InvalidInput):
    """This link was used already or has expired; ask an administrator for a new one."""


class SessionNotFound(NotFound):
    """You have no session with this id; it may have ended."""


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
