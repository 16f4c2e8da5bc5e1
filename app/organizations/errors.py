from app.errors import Conflict, Forbidden, InvalidInput, NotFound


class UnknownInvitation(InvalidInput):
    """This invitation code is not known; ask your organization for its current one."""


class OrganizationClosed(Forbidden):
    """Your organization is locked or its time has run out; ask its manager."""


class OrganizationNotFound(NotFound):
    """There is no organization with this id, or it is not yours."""


class OrganizationCodeTaken(Conflict):
    """Another organization has this code."""


class OrganizationHasMembers(Conflict):
    """This organization has members, as many as `members` says; move or delete them first."""
