"""What comes in over `POST /api/knowledge/documents`, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.settings import Settings
from tests.http.browsers import Browser, Service, serving
from tests.http.uploads import DOCUMENTS, names, read, send, upload
from tests.people import ALICE

BOUNDARY = "----browser"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
MB = 1024 * 1024


def part(headers: str, content: bytes = b"some text") -> bytes:
    return f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"


def file_part(name: str, content: bytes = b"some text") -> bytes:
    return part(f'Content-Disposition: form-data; name="file"; filename="{name}"', content)


END = f"--{BOUNDARY}--\r\n".encode()


def post(browser: Browser, body: Any, headers: dict[str, str] = FORM) -> httpx.Response:
    return browser.post(DOCUMENTS, content=body, headers=headers)


def outcome(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def stored(settings: Settings) -> list[str]:
    """The names of all files below the folder, but for the lock's."""
    everything = settings.files_dir.rglob("*")
    return sorted(one.name for one in everything if one.is_file() and one.name != "lock")


def test_an_upload_is_a_queued_document_with_the_name_of_its_file(
    alice: Browser, settings: Settings
) -> None:
    answer = send(alice, "rain", "water.md")
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{DOCUMENTS}/{made['id']}"
    assert (made["name"], made["title"], made["tags"]) == ("water.md", "water.md", [])
    assert (made["current"], made["details"]) == (None, {})
    newest = made["newest"]
    assert (newest["number"], newest["state"], newest["size"]) == (1, "queued", 4)
    assert stored(settings) == [newest["sha256"]]
    assert read(alice, made["id"]) == made


def test_title_and_tags_come_with_the_file(alice: Browser) -> None:
    made = upload(alice, "rain", title="  光合作用 🌱 ", tags=["水, water", "water", "grade 8"])
    assert made["title"] == "光合作用 🌱"
    assert sorted(made["tags"]) == ["grade 8", "water", "水"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Users\\alice\\water.md", "water.md"),
        ("..\\..\\water.md", "water.md"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("水循环 👩‍🔬.md", "水循环 👩‍🔬.md"),
        ("x" * 300 + ".md", "x" * 252 + ".md"),
        ("水" * 300 + ".md", "水" * 252 + ".md"),
        ("x" * 300, "x" * 255),
        ("folder/", "folder"),
        ("", "unnamed"),
        (" ", "unnamed"),
        ("a\u202eb.md", "a\u202eb.md"),
    ],
)
def test_of_a_name_the_last_part_is_kept(alice: Browser, given: str, kept: str) -> None:
    answer = post(alice, file_part(given) + END)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == kept
    assert names(alice) == [kept]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"title": "x" * 301}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"tags": "x" * 51}, "tags"),
        ({"tags": [f"{at}" for at in range(21)]}, "tags"),
        ({"tags": "a\0b"}, "tags"),
        ({"title": "x" * 10_001}, "title"),
    ],
    ids=["long title", "NUL in the title", "long tag", "many tags", "NUL in a tag", "huge"],
)
def test_a_field_that_cannot_be_kept_is_named(
    alice: Browser, settings: Settings, fields: dict[str, Any], where: str
) -> None:
    answer = send(alice, "rain", **fields)
    assert outcome(answer) == (422, "InvalidPayload")
    assert answer.json()["detail"][0]["where"] == ["body", where]
    assert (names(alice), stored(settings)) == ([], [])


def test_a_name_with_nul_is_refused(alice: Browser) -> None:
    answer = post(alice, file_part("a\0b.md") + END)
    assert outcome(answer) == (422, "InvalidPayload")
    assert answer.json()["detail"][0]["where"] == ["body", "file"]


def field(name: str, content: bytes = b"text") -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', content)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (field("title") + END, FORM),
        (field("file") + END, FORM),
        (END, FORM),
        (b"", FORM),
        (file_part("a.md") + file_part("b.md") + END, FORM),
        (file_part("a.md"), FORM),
        (file_part("a.md")[:-20], FORM),
        (file_part("a.md") + END, {"content-type": "multipart/form-data; boundary=another"}),
        (file_part("a.md") + END, {"content-type": "multipart/form-data"}),
        (file_part("a.md") + END, {"content-type": "multipart/form-data; boundary="}),
        (file_part("a.md") + END, {"content-type": f"multipart/form-data; boundary={'x' * 300}"}),
        (file_part("a.md") + END, {"content-type": f"multipart/mixed; boundary={BOUNDARY}"}),
        (b'{"file": "a"}', {"content-type": "application/json"}),
        (b"some text", {}),
        (part("X" * 5_000 + ": y") + END, FORM),
        (part("no header") + END, FORM),
        (b"".join(field(f"f{at}") for at in range(51)) + file_part("a.md") + END, FORM),
    ],
    ids=[
        "no file",
        "a file without a name",
        "an empty form",
        "an empty body",
        "two files",
        "no end",
        "cut within the file",
        "another boundary",
        "no boundary",
        "an empty boundary",
        "a boundary that is too long",
        "another kind of form",
        "JSON",
        "no type",
        "a huge header",
        "a broken header",
        "too many fields",
    ],
)
def test_what_is_no_form_with_one_file_is_refused(
    alice: Browser, settings: Settings, body: bytes, headers: dict[str, str]
) -> None:
    assert outcome(post(alice, body, headers)) == (400, "InvalidInput")
    assert (names(alice), stored(settings)) == ([], [])


def test_a_form_may_have_fields_that_nobody_knows_and_text_after_it(alice: Browser) -> None:
    body = field("csrf") + file_part("a.md", b"\r\n--\r\n" + b"-" * 40) + END
    answer = post(alice, body + b"after")
    assert answer.status_code == 201, answer.text
    assert answer.json()["newest"]["size"] == 46


def test_a_field_that_is_no_utf8_is_named(alice: Browser) -> None:
    answer = post(alice, field("title", b"\xff\xfe") + file_part("a.md") + END)
    assert outcome(answer) == (422, "InvalidPayload")
    assert answer.json()["detail"][0]["where"] == ["body", "title"]


@pytest.fixture
def small(settings: Settings) -> Any:
    """The service where a file has one megabyte at most."""
    with serving(settings.model_copy(update={"knowledge_file_limit_mb": 1})) as service:
        yield service


def test_a_file_may_have_as_many_bytes_as_the_limit_says_and_none_more(
    small: Service, settings: Settings
) -> None:
    alice = small.browser_of(ALICE)
    assert upload(alice, b"x" * MB)["newest"]["size"] == MB
    kept = stored(settings)
    assert outcome(send(alice, b"y" * (MB + 1))) == (413, "PayloadTooLarge")
    assert stored(settings) == kept


@pytest.mark.parametrize("path", [DOCUMENTS, f"{DOCUMENTS}/0/file"])
def test_a_body_above_the_limit_is_refused_whether_it_says_so_or_not(
    small: Service, settings: Settings, path: str
) -> None:
    alice = small.browser_of(ALICE)
    method = "POST" if path == DOCUMENTS else "PUT"

    async def pieces() -> AsyncIterator[bytes]:
        yield file_part("a.md", b"")[:-2]
        for _ in range(40):
            yield b"x" * 64 * 1024

    for body in (file_part("a.md", b"x" * 2 * MB) + END, pieces()):
        answer = alice.request(method, path, content=body, headers=FORM)
        assert outcome(answer) == (413, "PayloadTooLarge")
    assert stored(settings) == []


def test_the_same_file_again_is_the_same_document(alice: Browser, settings: Settings) -> None:
    made = upload(alice, "rain", "a.md", title="Rain")
    again = send(alice, "rain", "b.md", title="Other", tags="new")
    assert again.status_code == 200
    assert again.json() == made
    assert again.headers["location"] == f"{DOCUMENTS}/{made['id']}"
    assert names(alice) == ["a.md"]
    assert len(stored(settings)) == 1


def test_the_same_file_of_two_users_is_one_file_until_both_have_deleted_it(
    alice: Browser, bob: Browser, settings: Settings
) -> None:
    hers, his = upload(alice, "rain"), upload(bob, "rain")
    assert hers["id"] != his["id"]
    assert stored(settings) == [hers["newest"]["sha256"]]
    assert alice.delete(f"{DOCUMENTS}/{hers['id']}").status_code == 204
    assert bob.get(f"{DOCUMENTS}/{his['id']}/file").content == b"rain"
    assert bob.delete(f"{DOCUMENTS}/{his['id']}").status_code == 204
    assert stored(settings) == []


def test_an_empty_file_is_taken_and_the_worker_says_what_is_wrong(alice: Browser) -> None:
    assert upload(alice, b"")["newest"]["size"] == 0


def test_without_a_folder_to_write_to_an_upload_is_told_to_come_again(
    alice: Browser, settings: Settings
) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    settings.files_dir.write_text("in the way")
    answer = send(alice, "rain")
    assert outcome(answer) == (503, "FilesUnusable")
    assert answer.headers["retry-after"]
