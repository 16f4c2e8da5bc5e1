"""What kind of file it is, by what is in it. A name can say anything."""

import re
import zipfile
from pathlib import Path, PurePath

from app.knowledge.errors import (
    FileDamaged,
    FileEmpty,
    FileEncrypted,
    FileHasMacros,
    FileUnsupported,
)
from app.knowledge.extraction import archives, encodings, media_types

HEAD = 8_192
PIECE = 1024 * 1024
# PDFium looks for it as far.
PDF_SEARCHED = 1_024
PDF_TAIL = 2_048
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
ENCRYPTED_OFFICE = ("EncryptedPackage".encode("utf-16-le"), "EncryptionInfo".encode("utf-16-le"))

MAIN_PARTS = {
    "wordprocessingml.document.main+xml": media_types.DOCX,
    "wordprocessingml.template.main+xml": media_types.DOCX,
    "presentationml.presentation.main+xml": media_types.PPTX,
    "presentationml.slideshow.main+xml": media_types.PPTX,
    "presentationml.template.main+xml": media_types.PPTX,
    "spreadsheetml.sheet.main+xml": media_types.XLSX,
    "spreadsheetml.template.main+xml": media_types.XLSX,
}
MAIN_PART = re.compile(
    r"application/vnd\.openxmlformats-officedocument\.([a-z]+\.[a-z]+\.main\+xml)"
)
MACROS = re.compile(r"macroEnabled|vbaProject|vbaData", re.IGNORECASE)

HTML_START = re.compile(
    r"\s*(?:<!--[\s\S]{0,4000}?-->\s*)*<(?:!doctype\s+html|\?xml|html|head|body|title|meta|div|article)\b",
    re.IGNORECASE,
)
HTML_NAMES = {".htm", ".html", ".xht", ".xhtml"}
MARKDOWN_NAMES = {".markdown", ".md", ".mdown", ".mdwn", ".mkd", ".mkdn"}
# Of text that is no text for people.
TEXT_OF_PROGRAMS = ("{\\rtf", "%!PS")
# Control characters that aren't used in texts, but for those of terminals.
CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
CONTROL_SHARE = 0.005


def detect(path: Path, name: str, unpacked_mb: int) -> str:
    """The media type, one of media_types.

    Args:
        name: decides between HTML, Markdown and plain text alone, and only where the file is text.

    Raises:
        FileRefused: the file is of none, or it is seen at once that it can't be read.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if len(head) < HEAD and not head.strip():
        raise FileEmpty
    if _is_pdf(path, head):
        return media_types.PDF
    if head.startswith(OLE):
        _refuse_ole(path)
    if head.startswith((b"PK\3\4", archives.END, b"PK\7\x08")):
        return _office_type(path, unpacked_mb)
    return _text_type(head, name)


def _is_pdf(path: Path, head: bytes) -> bool:
    at = head.find(b"%PDF-", 0, PDF_SEARCHED)
    if at <= 0:
        return at == 0
    # A text may speak of it.
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - PDF_TAIL))
        tail = file.read()
    return b"startxref" in tail or b"%%EOF" in tail


def _refuse_ole(path: Path) -> None:
    before = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            window = before + piece
            if any(name in window for name in ENCRYPTED_OFFICE):
                raise FileEncrypted
            before = window[-64:]
    raise FileUnsupported(
        "This is a file of an old office program (.doc, .xls, .ppt); save it as .docx, .xlsx or "
        ".pptx, and upload it again."
    )


def _office_type(path: Path, unpacked_mb: int) -> str:
    with archives.open_zip(path, unpacked_mb) as archive:
        names = archive.namelist()
        if "[Content_Types].xml" not in names:
            _refuse_zip(archive, names)
        content_types = archives.read(archive, "[Content_Types].xml").decode(errors="replace")
        if MACROS.search(content_types) or any(
            PurePath(name).name.lower() == "vbaproject.bin" for name in names
        ):
            raise FileHasMacros
        archives.refuse_declarations(archive)
    for main in MAIN_PART.findall(content_types):
        if main in MAIN_PARTS:
            return MAIN_PARTS[main]
    raise FileUnsupported


def _refuse_zip(archive: zipfile.ZipFile, names: list[str]) -> None:
    if "mimetype" in names:
        kind = archives.read(archive, "mimetype")
        if b"opendocument" in kind:
            raise FileUnsupported(
                "Files of OpenDocument (.odt, .ods, .odp) can't be read; save it as .docx, .xlsx "
                "or .pptx, and upload it again."
            )
        if b"epub" in kind:
            raise FileUnsupported(
                "E-books (.epub) can't be read; convert it to PDF, and upload that."
            )
    if not names:
        raise FileDamaged
    raise FileUnsupported("Archives (.zip) can't be read; unpack it, and upload the files in it.")


def _text_type(head: bytes, name: str) -> str:
    controls = len(CONTROL.findall(head))
    if controls > CONTROL_SHARE * len(head) and not encodings.is_marked(head):
        raise FileUnsupported
    # The head may end inside of a character.
    text = encodings.decode((head[: head.rfind(b"\n") + 1] if len(head) == HEAD else b"") or head)
    if text.startswith(TEXT_OF_PROGRAMS):
        raise FileUnsupported(
            "Files of this type can't be read; save it as .docx or PDF, and upload it again."
        )
    suffix = PurePath(name).suffix.lower()
    if suffix in MARKDOWN_NAMES:
        return media_types.MARKDOWN
    if suffix in HTML_NAMES or HTML_START.match(text):
        return media_types.HTML
    return media_types.PLAIN
