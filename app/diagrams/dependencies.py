"""What the handlers of diagrams ask for."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.requests import ClientDisconnect

from app.auth.dependencies import user_with
from app.diagrams.errors import VersionRequired
from app.diagrams.kinds import DiagramType
from app.diagrams.schemas import DiagramFilter
from app.errors import InvalidInput
from app.http import etags
from app.http.etags import ANY, Expected, IfMatch
from app.http.limiting import TRANSFER
from app.users.schemas import UserOut

Reader = Annotated[UserOut, Depends(user_with("diagrams:read"))]
Writer = Annotated[UserOut, Depends(user_with("diagrams:write"))]
Exporter = Annotated[UserOut, Depends(user_with("diagrams:read", TRANSFER))]
Importer = Annotated[UserOut, Depends(user_with("diagrams:write", TRANSFER))]

DiagramId = Annotated[str, Path(max_length=36, pattern=r"^[0-9A-Za-z_-]+$")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


async def get_required(if_match: IfMatch = None) -> Expected:
    if if_match is None:
        raise VersionRequired
    return etags.expected(if_match)


async def get_optional(if_match: IfMatch = None) -> Expected:
    return ANY if if_match is None else etags.expected(if_match)


async def get_filter(
    kind: Annotated[DiagramType | None, Query(alias="type")] = None,
    language: Annotated[str | None, Query(max_length=10, pattern="^[A-Za-z0-9-]+$")] = None,
    pinned: bool | None = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Words of the title and the nodes.")
    ] = None,
) -> DiagramFilter:
    return DiagramFilter(diagram_type=kind, language=language, pinned=pinned, search=q)


async def get_body(request: Request) -> bytes:
    """The body as it is: to parse a large one here would keep everybody waiting."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise InvalidInput("The body ends in the middle.") from error


Body = Annotated[bytes, Depends(get_body)]
Required = Annotated[Expected, Depends(get_required)]
Optional = Annotated[Expected, Depends(get_optional)]
FilterOf = Annotated[DiagramFilter, Depends(get_filter)]
