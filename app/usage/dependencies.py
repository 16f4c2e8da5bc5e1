from typing import Annotated

from fastapi import Depends, Request

from app.usage.recorder import Recorder


async def get_recorder(request: Request) -> Recorder:
    recorder: Recorder = request.app.state.recorder
    return recorder


RecorderOf = Annotated[Recorder, Depends(get_recorder)]
