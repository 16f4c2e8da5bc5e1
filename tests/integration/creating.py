"""Creates diagrams in a process of its own, as the test of the quota starts several.

    python -m tests.integration.creating USER NUMBER

The settings come from the environment. Prints how many were made.
"""

import sys

from app import settings as settings_of
from app.db import engine
from app.db.session import Database
from app.diagrams import service
from app.diagrams.errors import DiagramLimitReached
from app.diagrams.schemas import DiagramIn

user_id, number = map(int, sys.argv[1:])
settings = settings_of.load()
database = Database(engine.build(settings, name="test", threads=1))
made = 0
for at in range(number):
    payload = DiagramIn(
        title=str(at), diagram_type="mind_map", spec={"topic": "水", "children": []}
    )
    try:
        with database.begin() as session:
            service.create(session, settings, user_id, payload)
        made += 1
    except DiagramLimitReached:
        pass
database.close()
sys.stdout.write(f"{made}\n")
