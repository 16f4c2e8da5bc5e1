"""Searching, and what becomes of searches."""

from fastapi import APIRouter

from app.http.dependencies import DatabaseOf
from app.http.documentation import raises
from app.http.pagination import CursorText, InvalidCursor, Limit
from app.http.routes import Route
from app.knowledge import search
from app.knowledge.dependencies import Reader, SearcherOf, SearchId, Searching, Writer
from app.knowledge.errors import SearchNotFound, SemanticSearchUnavailable
from app.knowledge.schemas import DocumentFilter, FeedbackIn, Found, SearchIn
from app.knowledge.search import SearchPage, Wanted

router = APIRouter(route_class=Route)


@router.post("/search", responses=raises(SemanticSearchUnavailable))
def find(payload: SearchIn, user: Searching, searcher: SearcherOf) -> Found:
    """The passages of one's documents that fit best, best first.

    `semantic` finds what means the same, also in the other language; `keyword` finds the words;
    `hybrid` fuses both. `document`, `tag`, `after` and `before` (of the upload) narrow it down.
    """
    chosen = DocumentFilter(
        document=payload.document, tag=payload.tag, after=payload.after, before=payload.before
    )
    wanted = Wanted(user.id, payload.query, payload.mode, payload.limit, chosen)
    return search.search(searcher, wanted)


@router.get("/history", responses=raises(InvalidCursor))
def list_history(
    user: Reader, database: DatabaseOf, limit: Limit = 20, cursor: CursorText = None
) -> SearchPage:
    """One's searches and questions, newest first."""
    with database.read() as session:
        return search.list_history(session, user.id, limit=limit, cursor=cursor)


@router.delete("/history", status_code=204)
def delete_history(user: Writer, database: DatabaseOf) -> None:
    with database.begin(frees_space=True) as session:
        search.delete_history(session, user.id)


@router.put("/history/{search_id}/feedback", status_code=204, responses=raises(SearchNotFound))
def say(search_id: SearchId, payload: FeedbackIn, user: Reader, database: DatabaseOf) -> None:
    """Whether a hit, or the whole, was useful. It takes the place of what was said before."""
    with database.begin() as session:
        search.note_feedback(session, user.id, search_id, payload)
