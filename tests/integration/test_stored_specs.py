import json
from typing import Any

from hypothesis import HealthCheck, assume, given
from hypothesis import settings as examples

from app.db.session import Database
from app.diagrams import service
from app.diagrams.schemas import DiagramIn
from app.diagrams.spec import InvalidSpec, check
from app.settings import Settings
from tests.people import ALICE
from tests.unit.specs import MIND_MAPS, same


@examples(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(spec=MIND_MAPS)
def test_every_spec_that_is_accepted_comes_back_equal(
    settings: Settings, database: Database, spec: dict[str, Any]
) -> None:
    try:
        check("mind_map", spec, limit_kb=100, limit_nodes=100)
    except InvalidSpec:
        assume(False)
    payload = DiagramIn(title="水", diagram_type="mind_map", spec=spec)
    with database.begin() as session:
        made = service.create(session, settings, ALICE.id, payload)
    with database.read() as session:
        found = service.require(session, ALICE.id, made.id)
    assert same(found.spec, spec), json.dumps(spec)
    # It may be saved again as it was read.
    check("mind_map", found.spec, limit_kb=100, limit_nodes=100)
