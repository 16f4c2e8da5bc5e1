"""The status as a page that needs nothing but itself: no script, no other file.

It is made of elements, not of text: what stands in them is escaped when they are written.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from app.status.schemas import StatusOut

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #8884; }
th { width: 14rem; font-weight: 600; vertical-align: top; }
.wrong { color: #b3261e; font-weight: 600; }
@media (prefers-color-scheme: dark) { .wrong { color: #ff8a80; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
UNITS = ("B", "KB", "MB", "GB", "TB", "PB")

Rows = Iterable[tuple[str, str]]


def render(status: StatusOut) -> str:
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = "MindGraph: status"
    SubElement(head, "style").text = STYLE
    body = SubElement(html, "body")
    SubElement(body, "h1").text = "MindGraph: status"
    _problems(body, status.problems)
    _section(body, "Release", _release(status))
    _services(body, status)
    _section(body, "Jobs and documents", [*_queue(status), *_documents(status)])
    _section(body, "Resources", _resources(status))
    _section(body, "Last backup", _backup(status))
    return "<!DOCTYPE html>\n" + ElementTree.tostring(html, encoding="unicode", method="html")


def _problems(body: Element, problems: Sequence[str]) -> None:
    if not problems:
        SubElement(body, "p").text = "All is well."
        return
    listed = SubElement(body, "ul", {"class": "wrong"})
    for problem in problems:
        SubElement(listed, "li").text = problem


def _section(body: Element, title: str, rows: Rows) -> None:
    SubElement(body, "h2").text = title
    table = SubElement(body, "table")
    for name, value in rows:
        row = SubElement(table, "tr")
        SubElement(row, "th", scope="row").text = name
        SubElement(row, "td").text = value


def _services(body: Element, status: StatusOut) -> None:
    rows = [
        (name, f"{one.version or one.problem or ''} ({one.ms:.0f} ms)")
        for name, one in status.services.items()
    ]
    _section(body, "Services", rows)


def _release(status: StatusOut) -> Rows:
    yield "Version", status.version
    yield "Revision", status.revision
    yield "Environment", status.environment
    yield "Maintenance", "on: everybody is kept out" if status.maintenance else "off"
    yield "As of", _moment(status.at)


def _queue(status: StatusOut) -> Rows:
    queue = status.queue
    if queue is None:
        yield "Jobs", "unknown"
        return
    yield "Workers", str(queue.workers)
    yield "Jobs waiting, running", f"{queue.waiting}, {queue.running}"
    yield "Jobs to be tried again", str(queue.delayed)
    yield "Jobs given up", str(queue.dead)


def _documents(status: StatusOut) -> Rows:
    documents = status.documents
    if documents is None:
        yield "Documents", "unknown"
        return
    yield "Documents waiting", f"{documents.waiting}, the first for {documents.oldest_s:.0f} s"
    for state, count in documents.states.items():
        yield f"Documents {state}", str(count)


def _resources(status: StatusOut) -> Rows:
    connections, disk = status.connections, status.disk
    if connections is not None:
        yield "Connections", f"{connections.used} of {connections.allowed}"
    yield "Sessions", "unknown" if status.sessions is None else str(status.sessions)
    yield "Disk of the data folder", f"{_bytes(disk.free)} free of {_bytes(disk.size)}"


def _backup(status: StatusOut) -> Rows:
    backup = status.backup
    if backup is None:
        yield "Backup", "no backup known"
        return
    yield "Ended", f"{_moment(backup.finished_at)}, {'well' if backup.ok else 'FAILED'}"
    yield "Kind", backup.kind
    if backup.size is not None:
        yield "Size", _bytes(backup.size)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _bytes(count: float) -> str:
    for unit in UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {UNITS[-1]}"
