"""What the handlers of the knowledge space ask for."""

from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import TypeAdapter, ValidationError

from app.auth.dependencies import Caller, allow, user_with
from app.cache.limits import Rule
from app.errors import InvalidInput, InvalidPayload, PayloadTooLarge
from app.http import multipart
from app.http.dependencies import SettingsOf
from app.http.fields import Moment, Text
from app.http.multipart import FILE, Form
from app.knowledge.answers import Answerer
from app.knowledge.files import Files
from app.knowledge.schemas import DocumentFilter, Tags, TagText, Title
from app.knowledge.search import Searcher
from app.knowledge.service import LONGEST_NAME, Upload
from app.knowledge.states import State
from app.users.schemas import UserOut

# Each is written to the disk, and read by a worker afterwards.
UPLOADS = Rule("uploads", 1_000, 600)
# Each is embedded, which takes hundredths of a second of one core.
SEARCHES = Rule("searches", 300, 60)
# Each may cost money.
ANSWERS = Rule("answers", 60, 600)

Reader = Annotated[UserOut, Depends(user_with("knowledge:read"))]
Writer = Annotated[UserOut, Depends(user_with("knowledge:write"))]
Uploader = Annotated[UserOut, Depends(user_with("knowledge:write", UPLOADS))]
Searching = Annotated[UserOut, Depends(user_with("knowledge:read", SEARCHES))]
AskingCaller = Annotated[Caller, Depends(allow("knowledge:read", ANSWERS))]

DocumentId = Annotated[str, Path(max_length=36, pattern=r"^[0-9a-f-]+$")]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
SearchId = Annotated[int, Path(ge=1, le=2**63 - 1)]

MB = 1024 * 1024

TITLE: TypeAdapter[str] = TypeAdapter(Title)
TAGS: TypeAdapter[list[str]] = TypeAdapter(Tags)
NAME: TypeAdapter[str] = TypeAdapter(Text)

# For the OpenAPI document: the body is read by hand.
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE],
                    "properties": {
                        FILE: {"type": "string", "format": "binary"},
                        "title": {"type": "string", "minLength": 1, "maxLength": 300},
                        "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
                    },
                }
            }
        },
    }
}


async def get_files(request: Request) -> Files:
    files: Files = request.app.state.files
    return files


async def get_searcher(request: Request) -> Searcher:
    searcher: Searcher = request.app.state.searcher
    return searcher


async def get_wake(request: Request) -> Callable[[], None]:
    wake: Callable[[], None] = request.app.state.wake
    return wake


async def get_answerer(request: Request) -> Answerer:
    answerer: Answerer = request.app.state.answerer
    return answerer


# Tells the workers that there is something to do: a hint, which may be lost.
Wake = Annotated[Callable[[], None], Depends(get_wake)]
FilesOf = Annotated[Files, Depends(get_files)]
AnswererOf = Annotated[Answerer, Depends(get_answerer)]
SearcherOf = Annotated[Searcher, Depends(get_searcher)]


async def get_upload(
    request: Request, _: Uploader, files: FilesOf, settings: SettingsOf
) -> AsyncIterator[Upload]:
    """The file that comes in; gone after the request unless it was kept.

    It is read only when it is known who sends it.
    """
    limit_mb = settings.knowledge_file_limit_mb

    with files.receiving() as incoming:

        def write(part: bytes) -> None:
            # The limit on the body has room for the other fields, which a file could fill as well.
            if incoming.size + len(part) > limit_mb * MB:
                raise PayloadTooLarge(f"A file may have {limit_mb} MB at most.")
            incoming.write(part)

        form = await multipart.receive(request, write)
        if form.filename is None:
            raise InvalidInput("The form has no file: it needs a part named `file`.")
        yield Upload(incoming, _name(form.filename), _title(form), _tags(form))


async def get_filter(
    tag: Annotated[TagText | None, Query()] = None,
    state: State | None = None,
    name: Annotated[Text | None, Query(max_length=200, description="A part of the title.")] = None,
    after: Annotated[Moment | None, Query(description="Uploaded then or later.")] = None,
    before: Annotated[Moment | None, Query(description="Uploaded earlier.")] = None,
) -> DocumentFilter:
    return DocumentFilter(tag=tag, state=state, name=name, after=after, before=before)


UploadOf = Annotated[Upload, Depends(get_upload)]
FilterOf = Annotated[DocumentFilter, Depends(get_filter)]


def _name(given: str) -> str:
    # Some clients send a whole path, on Windows with backslashes.
    name: str = _checked(NAME, PurePosixPath(given.replace("\\", "/")).name, FILE)
    if len(name) <= LONGEST_NAME:
        return name or "unnamed"
    ending = PurePosixPath(name).suffix[:20]
    return name[: LONGEST_NAME - len(ending)] + ending


def _title(form: Form) -> str | None:
    given = form.fields.get("title", [""])[-1].strip()
    title: str | None = _checked(TITLE, given, "title") if given else None
    return title


def _tags(form: Form) -> list[str]:
    given = [part for one in form.fields.get("tags", []) for part in one.split(",")]
    tags: list[str] = _checked(TAGS, [one for one in given if one.strip()], "tags")
    return tags


def _checked(adapter: TypeAdapter[Any], value: object, where: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise InvalidPayload((["body", where], error.errors()[0]["msg"])) from error
