"""Table of contents: which router under which prefix."""

from fastapi import FastAPI

from app.admin.router import router as admin
from app.auth.errors import (
    InvalidKey,
    KeyQuotaReached,
    KeyWithoutUser,
    NotLoggedIn,
    ScopeMissing,
)
from app.auth.keys_router import router as keys
from app.auth.router import router as auth
from app.diagrams.router import router as diagrams
from app.health.router import router as health
from app.http import documentation
from app.organizations.errors import OrganizationClosed
from app.usage.router import router as usage

TO_CALLERS = (
    InvalidKey,
    KeyQuotaReached,
    KeyWithoutUser,
    NotLoggedIn,
    OrganizationClosed,
    ScopeMissing,
)

# Takes larger bodies than the rest.
IMPORT = "/api/diagrams/import"


def install(app: FastAPI) -> None:
    app.include_router(health)
    app.include_router(auth, prefix="/api/auth")
    app.include_router(keys, prefix="/api/keys")
    app.include_router(diagrams, prefix="/api/diagrams")
    app.include_router(admin, prefix="/api/admin")
    app.include_router(usage, prefix="/api/usage")
    documentation.install(app, to_callers=TO_CALLERS)
