from app.errors import Forbidden, InvalidInput


class UnknownInvitation(InvalidInput):
    """This invitation code is not known; ask your organization for its current one."""


class OrganizationClosed(Forbidden):
    """Your organization is locked or its time has run out; ask its manager."""
