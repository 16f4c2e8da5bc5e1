from app.errors import Conflict


class LoginTaken(Conflict):
    """Somebody is registered under this login name already."""
