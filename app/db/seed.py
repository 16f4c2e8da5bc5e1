"""The organizations of a new database."""

from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app import clock
from app.organizations import queries
from app.settings import OrganizationSeed, Settings

DEMO = (
    OrganizationSeed(code="DEMO-001", name="Demo School for Testing", invitation_code="DEMO-A1B2C"),
    OrganizationSeed(
        code="SPRING-EDU", name="Springfield Elementary School", invitation_code="SPRN-9K2L1"
    ),
    OrganizationSeed(code="BJ-001", name="Beijing First High School", invitation_code="BJXX-M3N4P"),
    OrganizationSeed(
        code="SH-042", name="Shanghai International School", invitation_code="SHXX-Q5R6S"
    ),
)


def wanting(engine: Engine, settings: Settings) -> bool:
    """Whether `seed` would make organizations now."""
    if not _wanted(settings):
        return False
    with Session(engine.execution_options(read_only=True)) as session:
        return not queries.exists(session)


def seed(engine: Engine, settings: Settings) -> int:
    """Makes the organizations of the settings in a database that has none.

    Returns:
        How many were made: 0 when there were some already or none are wanted.
    """
    wanted = _wanted(settings)
    if not wanted:
        return 0
    with Session(engine) as session, session.begin():
        if queries.exists(session):
            return 0
        for one in wanted:
            queries.insert(session, **one.model_dump(), created_at=clock.now())
    return len(wanted)


def _wanted(settings: Settings) -> Sequence[OrganizationSeed]:
    if settings.seed_organizations is not None:
        return settings.seed_organizations
    return DEMO if settings.seeds_demo else ()
