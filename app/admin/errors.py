from app.errors import Forbidden, InvalidInput


class NotAnAdministrator(Forbidden):
    """Only administrators may do this."""


class NotAManager(Forbidden):
    """Only administrators, and managers for their own organization, may do this."""


class NotAPlainMember(Forbidden):
    """Managers may do this for plain members only; ask an administrator."""


class UnknownOrganization(InvalidInput):
    """There is no organization with this id to become a member of."""
