from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.diagrams.kinds import DiagramType
from app.diagrams.spec import Spec
from app.http.fields import Text


class DiagramIn(BaseModel):
    title: Text = Field(min_length=1, max_length=200, examples=["光合作用 🌱"])
    diagram_type: DiagramType = Field(examples=["mind_map"])
    language: Text = Field("zh", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?$")
    spec: Spec = Field(
        examples=[{"topic": "光合作用", "children": [{"text": "light"}, {"text": "水 💧"}]}]
    )


class DiagramSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    # Any text: a database from before PostgreSQL may hold kinds that are no longer made.
    diagram_type: str
    language: str
    created_at: datetime
    updated_at: datetime


class DiagramOut(DiagramSummary):
    spec: Spec
