from typing import Annotated

import structlog
from fastapi import Depends

from app.admin.errors import NotAManager, NotAnAdministrator
from app.admin.schemas import Actor
from app.auth.dependencies import ByLogin

# The longest is an IPv6 address with a zone; a proxy may hand on any text.
LONGEST_ADDRESS = 64


async def actor(caller: ByLogin) -> Actor:
    # The id that the middleware has put on the log lines of this request.
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return Actor(caller.user, caller.address[:LONGEST_ADDRESS], request_id)


async def administrator(who: Annotated[Actor, Depends(actor)]) -> Actor:
    """Raises NotAnAdministrator."""
    if not who.is_admin:
        raise NotAnAdministrator
    return who


async def administrator_or_manager(who: Annotated[Actor, Depends(actor)]) -> Actor:
    """Raises NotAManager, also for a manager of nothing."""
    if not who.is_admin and (who.user.role != "manager" or who.scope is None):
        raise NotAManager
    return who


Admin = Annotated[Actor, Depends(administrator)]
AdminOrManager = Annotated[Actor, Depends(administrator_or_manager)]
