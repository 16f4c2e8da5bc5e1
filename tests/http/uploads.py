"""Documents of the knowledge space over HTTP."""

from typing import Any

import httpx

from tests.http.browsers import Browser

DOCUMENTS = "/api/knowledge/documents"


def send(
    browser: Browser,
    content: str | bytes,
    name: str = "text.md",
    *,
    into: str | None = None,
    **fields: Any,
) -> httpx.Response:
    """Uploads a file as a new document, or as the next version of the document `into`."""
    data = content.encode() if isinstance(content, str) else content
    form: dict[str, Any] = {"files": {"file": (name, data)}, "data": fields}
    if into is None:
        return browser.post(DOCUMENTS, **form)
    return browser.put(f"{DOCUMENTS}/{into}/file", **form)


def upload(
    browser: Browser, content: str | bytes, name: str = "text.md", **fields: Any
) -> dict[str, Any]:
    """A new document."""
    answer = send(browser, content, name, **fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def replace(
    browser: Browser, document_id: str, content: str | bytes, name: str = "text.md"
) -> dict[str, Any]:
    """The document with a new version."""
    answer = send(browser, content, name, into=document_id)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def read(browser: Browser, document_id: str) -> dict[str, Any]:
    answer = browser.get(f"{DOCUMENTS}/{document_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def names(browser: Browser, **chosen: Any) -> list[str]:
    """Of the documents of the first page, newest first."""
    answer = browser.get(DOCUMENTS, params=chosen)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


def search(browser: Browser, query: str, **more: Any) -> dict[str, Any]:
    answer = browser.post("/api/knowledge/search", json={"query": query} | more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def found(browser: Browser, query: str, **more: Any) -> list[str]:
    """The names of the documents that a search finds, one for each passage, best first."""
    return [hit["name"] for hit in search(browser, query, **more)["hits"]]
