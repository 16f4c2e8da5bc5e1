"""Asking questions."""

from fastapi import APIRouter

from app.completions.errors import (
    LanguageModelMisconfigured,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from app.embedders.errors import ModelBusy
from app.http.documentation import raises
from app.http.event_streams import EVENTS, EventStream
from app.http.routes import Route
from app.knowledge import answers
from app.knowledge.answers import Asking
from app.knowledge.dependencies import AnswererOf, AskingCaller
from app.knowledge.errors import AnswersNotConfigured, NothingFound, SemanticSearchUnavailable
from app.knowledge.schemas import AnswerOut, QuestionIn

router = APIRouter(route_class=Route)


@router.post(
    "/answers",
    response_model=AnswerOut,
    responses={
        **EVENTS,
        **raises(
            AnswersNotConfigured,
            LanguageModelMisconfigured,
            LanguageModelRefused,
            LanguageModelUnavailable,
            ModelBusy,
            NothingFound,
            SemanticSearchUnavailable,
        ),
    },
)
def ask(payload: QuestionIn, caller: AskingCaller, answerer: AnswererOf) -> AnswerOut | EventStream:
    """An answer from one's documents, with references to the passages that it comes from.

    With `stream` it comes as server-sent events while it is written: `hits`, `text` for each
    piece, and `answer` with the whole at the end; or `error`.
    """
    asking = Asking(caller.user, caller.key_id)
    if not payload.stream:
        return answers.answer(answerer, asking, payload)
    stream = answers.stream(answerer, asking, payload)
    return EventStream(stream, close=stream.close)
