"""Packed files: what is in them, without unpacking more than they may."""

import re
import struct
import zipfile
from pathlib import Path

from app.knowledge.errors import (
    FileDamaged,
    FileHasEntities,
    FileUnpacksTooLarge,
)

MB = 1024 * 1024
MOST_PARTS = 20_000
LARGEST_DIRECTORY = 8 * MB
# A part that is read whole to find out what the file is.
LARGEST_INDEX = MB
PIECE = MB
END = b"PK\5\6"
END_64 = b"PK\6\6"
LOCATOR_64 = b"PK\6\7"
# The end of the directory, with the longest comment behind it.
LONGEST_END = 22 + 65_535
# No office file may have one, and those who could expand it are many. In UTF-16 as well.
DECLARATIONS = tuple(
    "<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
LONGEST_DECLARATION = max(map(len, DECLARATIONS))
# Pictures and other files inside, which aren't read.
UNREAD = re.compile(
    r"\.(?:bin|bmp|emf|fntdata|gif|html?|jpe?g|mht|mp[34]|odttf|ole|pdf|png|rtf|svg|tiff?|ttf|wav|wdp|wmf)$",
    re.IGNORECASE,
)


def open_zip(path: Path, unpacked_mb: int) -> zipfile.ZipFile:
    """
    Raises:
        FileDamaged: no ZIP file, or a broken one.
        FileUnpacksTooLarge: its parts say that they are larger together. None gives more than it
            says: zipfile stops there.
    """
    if _directory_size(path) > LARGEST_DIRECTORY:
        raise FileUnpacksTooLarge
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, OSError) as error:
        raise FileDamaged from error
    parts = archive.infolist()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > unpacked_mb * MB:
        archive.close()
        raise FileUnpacksTooLarge(
            f"The file unpacks to more than {unpacked_mb:,} MB; make its pictures smaller or split "
            "it, and upload it again."
        )
    return archive


def refuse_declarations(archive: zipfile.ZipFile) -> None:
    """
    Raises:
        FileHasEntities: a part has a document type declaration.
        FileDamaged: a part can't be unpacked.
    """
    for part in archive.infolist():
        if not UNREAD.search(part.filename) and _declares(archive, part):
            raise FileHasEntities


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """The beginning of a part that tells what the file is.

    Raises:
        KeyError: there is no such part.
        FileDamaged: it can't be unpacked.
    """
    part = archive.getinfo(name)
    try:
        with archive.open(part) as stream:
            return stream.read(LARGEST_INDEX)
    except Exception as error:
        raise FileDamaged from error


def _declares(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    before = b""
    try:
        with archive.open(part) as stream:
            while piece := stream.read(PIECE):
                window = before + piece
                if any(declaration in window for declaration in DECLARATIONS):
                    return True
                before = window[-LONGEST_DECLARATION:]
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        # zipfile and zlib raise many for broken parts; RuntimeError for encrypted ones.
        raise FileDamaged from error
    return False


def _directory_size(path: Path) -> int:
    """Bytes of the list of parts, which zipfile reads whole into far larger objects."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LONGEST_END))
        tail = file.read()
        at = tail.rfind(END)
        if at < 0 or len(tail) - at < 22:
            raise FileDamaged
        if tail[at - 20 : at - 16] != LOCATOR_64:
            return int(struct.unpack_from("<I", tail, at + 12)[0])
        file.seek(min(struct.unpack_from("<Q", tail, at - 12)[0], size))
        record = file.read(56)
    if len(record) < 56 or not record.startswith(END_64):
        raise FileDamaged
    return int(struct.unpack_from("<Q", record, 40)[0])
