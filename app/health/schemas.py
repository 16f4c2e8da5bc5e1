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
    """`failed_open` counts how often this process went on without Redis, by what for."""

    ready: bool
    down: list[str]
    services: dict[str, ServiceHealth]
    failed_open: dict[str, int]
