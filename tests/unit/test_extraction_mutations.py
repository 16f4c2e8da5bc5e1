"""Valid files with some bytes changed: whatever is in a file, only the known errors come of it."""

import functools
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.knowledge.errors import ExtractionFailed, FileRefused
from app.knowledge.extraction import sandbox
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block
from tests import hostile_office, pdfs

# The parts that matter to the text.
READ = re.compile(r"Types|rels$|document|styles|slide1|presentation\.|sheet1|workbook|shared|core")
LIMITS = Limits(seconds=60, memory_mb=512, pages=100, characters=100_000, unpacked_mb=50)
PAGE = pdfs.text((72, 700, 18, "A heading"), (72, 650, 12, "Some text."))


def of_pdf() -> bytes:
    return pdfs.of_pages([PAGE] * 2, outline=[("A heading", 0)], title="Title")


def of_html() -> bytes:
    return b"<!doctype html><title>T</title><h1>A</h1><ul><li>b<li>c</ul><table><tr><td>d</table>"


def of_markdown() -> bytes:
    return (
        "---\ntitle: T\n---\n# A\n\n- b\n- c\n\n|d|e|\n|-|-|\n|1|2|\n\n```\nx\n```\n文字".encode()
    )


def of_text() -> bytes:
    return "第一章 绪论\n\n这是中文。\n\nNAME\n    text\n\nTitle\n=====\n\n- a\n- b\n".encode(
        "gb18030"
    )


VALID: dict[str, Callable[[], bytes]] = {
    "a.docx": hostile_office.word,
    "a.html": of_html,
    "a.md": of_markdown,
    "a.pdf": of_pdf,
    "a.pptx": hostile_office.slides,
    "a.txt": of_text,
    "a.xlsx": hostile_office.sheets,
}


@functools.cache
def valid(name: str) -> bytes:
    """The same for each example: office files hold the time."""
    return VALID[name]()


def blocks_of(path: Path) -> tuple[Block, ...]:
    """None if the file is refused; any other error ends the test."""
    try:
        return sandbox.extract(path, path.name, LIMITS).blocks
    except (FileRefused, ExtractionFailed):
        return ()


@pytest.mark.parametrize("name", VALID)
# The folder's file is written anew for each example.
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_gives_text_or_a_known_error(
    name: str, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(valid(name))
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(places) :]
    path = tmp_path / name
    path.write_bytes(content)
    blocks = blocks_of(path)
    assert all(block.text == block.text.strip() != "" for block in blocks)


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_office_file_with_a_damaged_part_gives_text_or_a_known_error(
    name: str, tmp_path: Path, data: st.DataObject
) -> None:
    with zipfile.ZipFile(io.BytesIO(valid(name))) as archive:
        parts = {part: archive.read(part) for part in sorted(archive.namelist())}
    part = data.draw(st.sampled_from([part for part in parts if READ.search(part)]))
    content = bytearray(parts[part])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        # Digits and letters keep the XML whole more often than other bytes.
        content[place] = data.draw(st.sampled_from(b'0123456789azAZ<>&"/ '))
    path = tmp_path / name
    path.write_bytes(hostile_office.changed(valid(name), {part: bytes(content)}))
    blocks = blocks_of(path)
    assert all(block.text == block.text.strip() != "" for block in blocks)


@pytest.mark.parametrize("name", VALID)
def test_a_file_that_ends_early_gives_text_or_a_known_error(name: str, tmp_path: Path) -> None:
    content = valid(name)
    path = tmp_path / name
    for tenth in range(10):
        path.write_bytes(content[: len(content) * tenth // 10])
        blocks_of(path)
    path.write_bytes(content)
    assert blocks_of(path)
