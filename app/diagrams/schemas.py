import zlib
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.diagrams import thumbnails
from app.diagrams.kinds import DiagramType
from app.diagrams.spec import Spec
from app.http.fields import Text

Title = Annotated[Text, Field(min_length=1, max_length=200, examples=["光合作用 🌱"])]
Language = Annotated[Text, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,4})?$", examples=["zh"])]
SpecIn = Annotated[
    Spec,
    Field(examples=[{"topic": "光合作用", "children": [{"text": "light"}, {"text": "水 💧"}]}]),
]
Thumbnail = Annotated[
    str,
    # The base64 of the largest picture, and what stands before it.
    Field(
        max_length=thumbnails.LARGEST_KB * 1024 * 4 // 3 + 30,
        pattern=r"^data:image/(png|jpeg|webp);base64,",
        examples=["data:image/png;base64,iVBORw0KGgo="],
    ),
    AfterValidator(thumbnails.check),
]


class DiagramIn(BaseModel):
    """A new diagram, or what one is replaced by. Without `thumbnail` it keeps the one it has."""

    title: Title
    diagram_type: DiagramType = Field(examples=["mind_map"])
    language: Language = "zh"
    spec: SpecIn
    thumbnail: Thumbnail | None = None


class DiagramPatch(BaseModel):
    """What is absent stays as it is; the spec is replaced as a whole, null removes a thumbnail."""

    # A name with a typing error would otherwise change nothing in silence.
    model_config = ConfigDict(extra="forbid")

    # The defaults are never stored: a field that is absent isn't, and null is refused.
    title: Title = Field(default_factory=str)
    diagram_type: DiagramType = Field(default_factory=lambda: "mind_map")
    language: Language = Field(default_factory=str)
    spec: SpecIn = Field(default_factory=dict)
    thumbnail: Thumbnail | None = None


class DuplicateIn(BaseModel):
    title: Title | None = Field(None, description='Without one: the old one with " (2)" behind it.')


class DiagramFilter(BaseModel):
    """Which diagrams are listed; None leaves it open."""

    diagram_type: DiagramType | None = None
    language: str | None = None
    pinned: bool | None = None
    search: str | None = None


class DiagramSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    # Any text: a database from before PostgreSQL may hold kinds that are no longer made.
    diagram_type: str
    language: str
    is_pinned: bool
    # Counts the changes of title, diagram_type, language and spec.
    version: int
    has_thumbnail: bool
    created_at: datetime
    # Of something in the trash: when it went there.
    updated_at: datetime


class DiagramOut(DiagramSummary):
    spec: Spec

    @property
    def etag(self) -> str:
        """The version, and what tells apart the states of one version: a pin is no new version,
        and who has the diagram without it must not be told that nothing has changed."""
        rest = f"{self.is_pinned} {self.has_thumbnail} {self.updated_at.isoformat()}"
        return f'"{self.version}-{zlib.crc32(rest.encode()):08x}"'


class VersionSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    version: int
    title: str
    saved_at: datetime


class VersionOut(VersionSummary):
    diagram_type: str
    language: str
    spec: Spec


class VersionList(BaseModel):
    """The earlier states that are kept, newest first."""

    items: list[VersionSummary]


class Emptied(BaseModel):
    """How many diagrams were deleted for good."""

    deleted: int
