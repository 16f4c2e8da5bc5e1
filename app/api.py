"""Table of contents: which router under which prefix."""

import re

from fastapi import APIRouter, FastAPI

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


# Once a process, and not once an app: what each endpoint depends on takes a quarter of a second to
# work out, and is worked out anew wherever a router is included.
_all = APIRouter()
_all.include_router(health)
_all.include_router(status_pages)
_all.include_router(auth, prefix="/api/auth")
_all.include_router(keys, prefix="/api/keys")
_all.include_router(diagrams, prefix="/api/diagrams")
_all.include_router(knowledge, prefix="/api/knowledge")
_all.include_router(admin, prefix="/api/admin")
_all.include_router(status, prefix="/api/admin")
_all.include_router(usage, prefix="/api/usage")


def install(app: FastAPI) -> None:
    app.router.routes.extend(_all.routes)
    documentation.install(app, to_callers=TO_CALLERS)
