"""Table of contents: which router under which prefix."""

from fastapi import FastAPI

from app.auth.router import router as auth
from app.diagrams.router import router as diagrams
from app.health.router import router as health
from app.usage.router import router as usage


def install(app: FastAPI) -> None:
    app.include_router(health)
    app.include_router(auth, prefix="/api/auth")
    app.include_router(diagrams, prefix="/api/diagrams")
    app.include_router(usage, prefix="/api/usage")
