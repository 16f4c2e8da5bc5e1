from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.http.fields import Moment, Text
from app.knowledge.states import State

LONGEST_QUERY = 1_000
MOST_TAGS = 20
MOST_DETAILS = 50

Mode = Literal["semantic", "keyword", "hybrid"]
Kind = Literal["search", "answer"]

Title = Annotated[Text, Field(min_length=1, max_length=300, examples=["光合作用 第二章"])]
TagText = Annotated[Text, Field(min_length=1, max_length=50, examples=["生物"])]
Detail = (
    Annotated[Text, Field(max_length=1_000)]
    | Annotated[int, Field(ge=-(2**63), lt=2**63)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | bool
    | None
)
Question = Annotated[Text, Field(min_length=1, max_length=LONGEST_QUERY)]
Snippet = Annotated[str, Field(examples=["…shared_buffers sets how much memory…"])]


def _once(tags: list[str]) -> list[str]:
    return [*dict.fromkeys(tags)]


Tags = Annotated[list[TagText], Field(max_length=MOST_TAGS), AfterValidator(_once)]


class DocumentPatch(BaseModel):
    """What is absent stays as it is; tags and details are replaced as a whole."""

    model_config = ConfigDict(extra="forbid")

    title: Title = Field(default_factory=str)
    tags: Tags = Field(default_factory=list)
    details: dict[Annotated[Text, Field(max_length=50)], Detail] = Field(
        default_factory=dict, max_length=MOST_DETAILS, examples=[{"subject": "biology", "grade": 8}]
    )


class VersionOut(BaseModel):
    """A file of a document, and how far it has come.

    `chunks` is how many passages it has, `embedded` how many of them are ready for the semantic
    search. `error` names why it failed or what it waits for, and `problem` tells people.
    """

    model_config = ConfigDict(from_attributes=True)

    number: int
    state: State
    size: int = Field(description="Bytes.")
    sha256: str
    media_type: str | None
    pages: int | None
    characters: int | None
    chunks: int
    embedded: int
    error: str | None
    problem: str | None
    created_at: datetime
    finished_at: datetime | None


class DocumentOut(BaseModel):
    """`current` is the number of the version that a search finds; null until the first is ready.

    `newest` is the version that was uploaded last.
    """

    id: str
    name: str
    title: str
    tags: list[str]
    details: dict[str, Any]
    current: int | None
    newest: VersionOut
    created_at: datetime
    updated_at: datetime


class DocumentFilter(BaseModel):
    """Which documents are meant; None leaves it open."""

    model_config = ConfigDict(frozen=True)

    tag: str | None = None
    state: State | None = None
    name: str | None = None
    document: str | None = None
    after: Moment | None = None
    before: Moment | None = None

    @property
    def is_open(self) -> bool:
        return self == DocumentFilter()


class Backlog(BaseModel):
    """What workers have done and have still to do, of all users."""

    states: dict[str, int] = Field(description="Versions of documents, by their state.")
    waiting: int = Field(description="Versions that a worker could take now.")
    oldest_s: float = Field(description="For how many seconds the first of them has waited.")


class Holdings(BaseModel):
    """What one has in the knowledge space, and may have. Sizes are in bytes."""

    documents: int
    document_quota: int
    size: int
    size_quota: int
    chunks: int
    chunk_quota: int
    tags: dict[str, int] = Field(description="How many documents have each tag.")


class TextOut(BaseModel):
    """A part of a document's text, from `start` up to `end`, in characters."""

    version: int
    start: int
    end: int
    characters: int
    text: str


class SearchIn(BaseModel):
    """What is looked for, and in which of one's documents; without a choice, in all."""

    model_config = ConfigDict(extra="forbid")

    query: Question = Field(examples=["怎样恢复备份"])
    mode: Mode = "hybrid"
    limit: int = Field(10, ge=1, le=50)
    document: Text | None = Field(None, max_length=36)
    tag: TagText | None = None
    after: Moment | None = Field(None, description="Uploaded then or later.")
    before: Moment | None = Field(None, description="Uploaded earlier.")


class HitOut(BaseModel):
    """A passage. `start` and `end` are its place in the document's text, in characters; those of
    the snippet are in the text as well, those of the highlights in the snippet."""

    rank: int
    document_id: str
    title: str
    name: str
    version: int
    ordinal: int
    page: int | None
    headings: list[str]
    start: int
    end: int
    snippet: Snippet
    snippet_start: int
    highlights: list[tuple[int, int]]
    content: str


class Found(BaseModel):
    """`mode` is what the hits come from: when one of the services isn't there, a hybrid search is
    answered by keywords, and `degraded` says why. `id` is for feedback."""

    id: int
    mode: Mode
    degraded: str | None
    hits: list[HitOut]


class SearchOut(BaseModel):
    """A search of the past."""

    id: int
    query: str
    mode: Mode
    kind: Kind
    hits: list[dict[str, Any]]
    milliseconds: float
    created_at: datetime


class FeedbackIn(BaseModel):
    """`rank` is the hit's, from 1; 0 is the search or answer as a whole."""

    model_config = ConfigDict(extra="forbid")

    rank: int = Field(0, ge=0, le=100)
    useful: bool
    comment: Text | None = Field(None, max_length=500)


class QuestionIn(BaseModel):
    """A question that is answered from one's documents."""

    model_config = ConfigDict(extra="forbid")

    question: Question = Field(examples=["怎样恢复备份"])
    mode: Mode = "hybrid"
    limit: int = Field(6, ge=1, le=20, description="How many passages the answer is made from.")
    document: Text | None = Field(None, max_length=36)
    tag: TagText | None = None
    stream: bool = False


class AnswerOut(BaseModel):
    """`text` refers to the hits by their rank in brackets, like [1]; `cited` are those ranks."""

    id: int
    text: str
    cited: list[int]
    hits: list[HitOut]
    model: str
    input_tokens: int
    output_tokens: int
