import dataclasses
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.errors import AppError
from app.knowledge.errors import FileHasTooMuchText, FileRefused
from app.knowledge.extraction import sandbox, wire
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block
from tests import hostile

# Words of the fix that people are told.
FIXES = {
    "FileDamaged": "save it anew",
    "FileEmpty": "check that it was saved",
    "FileEncrypted": "save it without one",
    "FileHasEntities": "save it anew",
    "FileHasMacros": "without them",
    "FileHasNoText": "can't be read|(OCR)",
    "FileHasTooManyPages": "split it",
    "FileHasTooMuchText": "split it",
    "FileTakesTooLong": "split it",
    "FileTakesTooMuchMemory": "split it",
    "FileUnpacksTooLarge": "split it",
    "FileUnsupported": "upload|save it",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return hostile.make(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    """Beside those that served earlier tests of this process."""
    before = children()
    yield
    assert children() <= before


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.mark.parametrize("name", [name for name, error in hostile.EXPECTED.items() if error])
def test_a_hostile_file_is_refused_with_its_cause_and_the_fix(
    name: str, files: dict[str, Path]
) -> None:
    limits = hostile.LIMITS
    if name == hostile.SPINNING_FILE:
        limits = dataclasses.replace(limits, seconds=2)
    with pytest.raises(FileRefused) as refused:
        sandbox.extract(files[name], name, limits)
    assert refused.value.code == hostile.EXPECTED[name]
    assert any(fix in refused.value.detail for fix in FIXES[refused.value.code].split("|"))


@pytest.mark.parametrize("name", [name for name, error in hostile.EXPECTED.items() if not error])
def test_a_strange_file_that_can_be_read_gives_its_text_and_nothing_of_others(
    name: str, files: dict[str, Path]
) -> None:
    extracted = sandbox.extract(files[name], name, hostile.LIMITS)
    text = "\n\n".join(block.text for block in extracted.blocks)
    assert text.strip()
    assert "root:" not in text
    assert "ha" * 10 not in text


def test_every_refusal_is_known_to_be_final() -> None:
    assert {name for name in hostile.EXPECTED.values() if name} <= FIXES.keys()
    assert issubclass(FileRefused, AppError)
    assert 400 <= FileRefused.status < 500


def test_a_file_with_too_much_text_is_refused_whatever_its_type(files: dict[str, Path]) -> None:
    few = dataclasses.replace(hostile.LIMITS, characters=5)
    for name in ("paths.docx", "after-junk.pdf", "enormous.xlsx", "laughs.xhtml", "surrogates.txt"):
        with pytest.raises(FileRefused) as refused:
            sandbox.extract(files[name], name, few)
        assert refused.value.code == "FileHasTooMuchText"


@pytest.mark.parametrize("name", ["short.html", "short.md", "short.txt"])
def test_a_file_with_too_many_paragraphs_is_refused(tmp_path: Path, name: str) -> None:
    """However short: each takes much more than its text of the process that receives it."""
    limits = dataclasses.replace(hostile.LIMITS, blocks=100)
    path = tmp_path / name
    path.write_text("<p>a\n\n" * 100)
    assert len(sandbox.extract(path, name, limits).blocks) == 100
    path.write_text("<p>a\n\n" * 101)
    with pytest.raises(FileHasTooMuchText, match="more than 100 paragraphs; split it"):
        sandbox.extract(path, name, limits)


def test_everything_within_the_limits_fits_into_what_is_received() -> None:
    """Also if each character and each block takes as much as one can."""
    block = Block("\U0001f600" * 100, "paragraph", 999_999_999, 999_999_999)
    escaped = Block('"\\' * 50, "paragraph", 999_999_999, 999_999_999)
    for one in (block, escaped):
        sent = len(wire.encode_block(one)) * 1_000
        limits = Limits(characters=100_000, blocks=1_000)
        assert sent <= wire.most_bytes(limits) - wire.ROOM
