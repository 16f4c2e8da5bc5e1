"""Imports every model, so that the metadata is whole wherever this is imported."""

from app.admin import models as admin
from app.auth import models as auth
from app.db.base import Base
from app.diagrams import models as diagrams
from app.knowledge import models as knowledge
from app.organizations import models as organizations
from app.usage import models as usage
from app.users import models as users

__all__ = ["Base", "admin", "auth", "diagrams", "knowledge", "organizations", "usage", "users"]

metadata = Base.metadata
