from pydantic import BaseModel


class Alive(BaseModel):
    status: str
    version: str


class ServiceHealth(BaseModel):
    """`ms` is how long the answer took; `problem` says why `ok` is false."""

    ok: bool
    version: str | None
    ms: float
    problem: str | None


class Readiness(BaseModel):
    """`failed_open` counts how often this process went on without Redis, by what for.

    In `maintenance` every other request is answered with 503, and the schema isn't looked at.
    """

    ready: bool
    down: list[str]
    services: dict[str, ServiceHealth]
    failed_open: dict[str, int]
    maintenance: bool
