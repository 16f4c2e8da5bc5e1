"""Table of contents: which router under which prefix."""

import re

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
from app.knowledge.router import router as knowledge
from app.organizations.errors import OrganizationClosed
from app.status.router import api as status
from app.status.router import router as status_pages
from app.usage.router import router as usage

TO_CALLERS = (
    InvalidKey,
    KeyQuotaReached,
    KeyWithoutUser,
    NotLoggedIn,
    OrganizationClosed,
    ScopeMissing,
)

# They take larger bodies than the rest.
IMPORT = re.compile("/api/diagrams/import")
UPLOAD = re.compile(r"/api/knowledge/documents(/[^/]+/file)?")


def install(app: FastAPI) -> None:
    app.include_router(health)
    app.include_router(status_pages)
    app.include_router(auth, prefix="/api/auth")
    app.include_router(keys, prefix="/api/keys")
    app.include_router(diagrams, prefix="/api/diagrams")
    app.include_router(knowledge, prefix="/api/knowledge")
    app.include_router(admin, prefix="/api/admin")
    app.include_router(status, prefix="/api/admin")
    app.include_router(usage, prefix="/api/usage")
    documentation.install(app, to_callers=TO_CALLERS)
