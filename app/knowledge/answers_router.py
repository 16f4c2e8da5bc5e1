"""Asking questions."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.completions.errors import (
    LanguageModelMisconfigured,
    LanguageModelRefused,
    LanguageModelUnavailable,
)
from app.http.documentation import raises
from app.knowledge import answers
from app.knowledge.answers import Asking
from app.knowledge.dependencies import AnswererOf, AskingCaller
from app.knowledge.errors import AnswersNotConfigured, NothingFound, SemanticSearchUnavailable
from app.knowledge.schemas import AnswerOut, QuestionIn

router = APIRouter()


@router.post(
    "/answers",
    response_model=AnswerOut,
    responses={
        200: {"content": {"text/event-stream": {}}},
        **raises(
            AnswersNotConfigured,
            LanguageModelMisconfigured,
            LanguageModelRefused,
            LanguageModelUnavailable,
            NothingFound,
            SemanticSearchUnavailable,
        ),
    },
)
def ask(
    payload: QuestionIn, caller: AskingCaller, answerer: AnswererOf
) -> AnswerOut | StreamingResponse:
    """An answer from one's documents, with references to the passages that it comes from.

    With `stream` it comes as server-sent events while it is written: `hits`, `text` for each
    piece, and `answer` with the whole at the end; or `error`.
    """
    asking = Asking(caller.user, caller.key_id)
    if not payload.stream:
        return answers.answer(answerer, asking, payload)
    return StreamingResponse(
        answers.stream(answerer, asking, payload),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
