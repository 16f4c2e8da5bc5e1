from app.errors import Conflict, NotFound


class LoginTaken(Conflict):
    """Somebody is registered under this login name already."""


class UserNotFound(NotFound):
    """There is no user with this id, or it is none of yours."""


class LastAdministrator(Conflict):
    """This is the last administrator; make another one first."""


class ManagerNeedsOrganization(Conflict):
    """A manager needs an organization to manage; set organization_id as well."""
