"""The document that an export makes and an import takes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, model_validator

from app.diagrams.kinds import DiagramType
from app.diagrams.schemas import DiagramIn, Language, SpecIn, Title, VersionOut
from app.diagrams.spec import Spec
from app.http.fields import Moment

FORMAT = "mindgraph"
FORMAT_VERSION = 1
# What the column can hold, with room to go on counting.
LARGEST_VERSION = 1_000_000_000

VersionIn = Annotated[int, Field(ge=1, le=LARGEST_VERSION)]


class ExportedDiagram(BaseModel):
    """Whatever is stored, also what could no longer be saved."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    diagram_type: str
    language: str
    spec: Spec
    thumbnail: str | None
    is_pinned: bool
    is_deleted: bool
    version: int
    created_at: datetime
    updated_at: datetime
    versions: list[VersionOut] = Field(default_factory=list)


class ImportedVersion(BaseModel):
    version: VersionIn
    title: Title
    diagram_type: DiagramType
    language: Language
    spec: SpecIn
    saved_at: Moment


class ImportedDiagram(DiagramIn):
    id: str = Field(max_length=36, pattern=r"^[0-9A-Za-z_-]+$")
    is_pinned: bool = False
    is_deleted: bool = False
    version: VersionIn = 1
    created_at: Moment
    updated_at: Moment
    # A list of millions that are wrong would make millions of problems.
    versions: Annotated[list[ImportedVersion], FailFast()] = Field(default_factory=list)

    @model_validator(mode="after")
    def _check_versions(self) -> "ImportedDiagram":
        numbers = [one.version for one in self.versions]
        if len(set(numbers)) < len(numbers) or max(numbers, default=0) >= self.version:
            raise ValueError("versions must be different ones, from before the diagram's version")
        return self


class Document(BaseModel):
    format: Literal["mindgraph"]
    format_version: Literal[1]
    diagrams: Annotated[list[ImportedDiagram], FailFast()]


class Imported(BaseModel):
    """How many diagrams are new, and how many were there already."""

    imported: int
    skipped: int


# For the OpenAPI document: the body is read as bytes, and parsed in a thread.
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "What GET /api/diagrams/export gives.",
                    "required": ["format", "format_version", "diagrams"],
                    "properties": {
                        "format": {"const": FORMAT},
                        "format_version": {"const": FORMAT_VERSION},
                        "diagrams": {"type": "array", "items": {"type": "object"}},
                    },
                },
                "example": {"format": FORMAT, "format_version": FORMAT_VERSION, "diagrams": []},
            }
        },
    }
}
