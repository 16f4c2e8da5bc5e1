"""Imports every model, so that the metadata is whole wherever this is imported."""

from app.db.base import Base
from app.diagrams import models as diagrams
from app.organizations import models as organizations
from app.users import models as users

__all__ = ["Base", "diagrams", "organizations", "users"]

metadata = Base.metadata
