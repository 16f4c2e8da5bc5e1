from app.errors import Unauthorized


class WrongCredentials(Unauthorized):
    """This login name and password don't belong together."""


class NotLoggedIn(Unauthorized):
    """Log in first: POST /api/auth/login."""
