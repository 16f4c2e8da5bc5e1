from typing import Annotated

from fastapi import Depends, Request

from app.auth.dependencies import Caller, allow
from app.usage.recorder import Recorder

Reader = Annotated[Caller, Depends(allow("usage:read"))]
Writer = Annotated[Caller, Depends(allow("usage:write"))]


async def get_recorder(request: Request) -> Recorder:
    recorder: Recorder = request.app.state.recorder
    return recorder


RecorderOf = Annotated[Recorder, Depends(get_recorder)]
