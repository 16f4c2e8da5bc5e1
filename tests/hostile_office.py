"""Office files for tests/hostile.py."""

import io
import struct
import zipfile
from collections.abc import Mapping

import docx
import openpyxl
import pptx

from tests import hostile_pdfs

GB = 1024 * 1024 * 1024
OOXML = "application/vnd.openxmlformats-officedocument."
LAUGHS = (
    b"<!DOCTYPE html [<!ENTITY l0 'ha'>"
    + b"".join(b"<!ENTITY l%d '%b'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]>"
)
EXTERNAL = (
    b"<!DOCTYPE html [<!ENTITY file SYSTEM 'file:///etc/passwd'>"
    b"<!ENTITY remote SYSTEM 'http://127.0.0.1:9/'>]>"
)
QUADRATIC = b"<!DOCTYPE html [<!ENTITY l9 '%b'>]>" % (b"ha" * 50_000)
WORD = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def word() -> bytes:
    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("The text of the report.")
    return _saved(document)


def slides() -> bytes:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[0])
    assert slide.shapes.title is not None
    slide.shapes.title.text = "Title of a slide"
    return _saved(presentation)


def sheets() -> bytes:
    workbook = openpyxl.Workbook()
    workbook.active.append(["name", "value"])  # type: ignore[union-attr]
    workbook.active.append(["text", 12])  # type: ignore[union-attr]
    return _saved(workbook)


def changed(original: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The file with some of its parts replaced, or more of them."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(original)) as before,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for name in before.namelist():
            after.writestr(name, parts.get(name, before.read(name)))
        for name in parts.keys() - set(before.namelist()):
            after.writestr(name, parts[name])
    return out.getvalue()


def _saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def _part(original: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        return archive.read(name)


def _with_main_type(original: bytes, before: str, after: str) -> bytes:
    types = _part(original, "[Content_Types].xml")
    types = types.replace(before.encode(), after.encode())
    return changed(original, {"[Content_Types].xml": types})


def _body(declaration: bytes, body: bytes, encoding: str = "utf-8") -> bytes:
    """A document whose main part begins with a declaration."""
    xml = b"%b<w:document xmlns:w='%b'><w:body>%b</w:body></w:document>" % (declaration, WORD, body)
    if encoding != "utf-8":
        xml = xml.decode().encode(encoding)
    return changed(word(), {"word/document.xml": xml})


def _paragraph(text: bytes) -> bytes:
    return b"<w:p><w:r><w:t>%b</w:t></w:r></w:p>" % text


def _bomb(told: int) -> bytes:
    """A document whose main part unpacks to 2 GB, listed five times.

    Args:
        told: what the file says that each unpacks to.
    """
    packed = hostile_pdfs.zeros(2 * GB - 16 * 1024 * 1024)
    types = b"<Types><Override ContentType='%bwordprocessingml.document.main+xml'/></Types>" % (
        OOXML.encode()
    )
    out = bytearray()
    entries = [_entry(out, b"[Content_Types].xml", types, len(types), 0)]
    start = len(out)
    entries.append(_entry(out, b"word/document.xml", packed, told, 8))
    for number in range(4):
        entries.append(_listing(b"word/part%d.xml" % number, len(packed), told, 8, start))
    at = len(out)
    out += b"".join(entries)
    out += b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, len(entries), len(entries), len(out) - at, at, 0
    )
    return bytes(out)


def _entry(out: bytearray, name: bytes, data: bytes, told: int, method: int) -> bytes:
    start = len(out)
    out += b"PK\3\4" + struct.pack(
        "<HHHHHIIIHH", 20, 0, method, 0, 33, 0, len(data), told, len(name), 0
    )
    out += name + data
    return _listing(name, len(data), told, method, start)


def _listing(name: bytes, packed: int, told: int, method: int, start: int) -> bytes:
    numbers = (20, 20, 0, method, 0, 33, 0, packed, told, len(name), 0, 0, 0, 0, 0, start)
    return b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", *numbers) + name


def _nested() -> bytes:
    """An archive in an archive, ten deep, that nobody unpacks."""
    inner = _bomb(2 * GB - 1)[:1_000_000]
    for number in range(10):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{number}.zip", inner)
        inner = out.getvalue()
    return inner


def _enormous_sheet() -> bytes:
    """It says that it has all rows and columns there can be, and has a cell in the last one."""
    original = sheets()
    xml = _part(original, "xl/worksheets/sheet1.xml")
    start, end = xml.index(b"<dimension"), xml.index(b"/>", xml.index(b"<dimension")) + 2
    xml = xml[:start] + b'<dimension ref="A1:XFD1048576"/>' + xml[end:]
    last = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    return changed(original, {"xl/worksheets/sheet1.xml": xml.replace(b"</sheetData>", last)})


def _ole(*names: str) -> bytes:
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in names)
    return bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504) + directory


def _open_document() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
    return out.getvalue()


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../../../etc/passwd", "root")
    return out.getvalue()


def _with_password() -> bytes:
    content = bytearray(word())
    # The flag of encryption, in the first part's head and in the list.
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    return bytes(content)


def _macros(original: bytes, before: str, after: str) -> bytes:
    return _with_main_type(original, OOXML + before, f"application/vnd.ms-{after}.main+xml")


FILES = {
    "bomb.docx": (lambda: _bomb(2 * GB - 1), "FileUnpacksTooLarge"),
    "lying-bomb.docx": (lambda: _bomb(1_000), "FileDamaged"),
    "nested.zip": (_nested, "FileUnsupported"),
    "nested.docx": (lambda: changed(word(), {"word/embeddings/1.zip": _nested()}), None),
    "laughs.docx": (lambda: _body(LAUGHS, _paragraph(b"&l9;")), "FileHasEntities"),
    "laughs-utf16.docx": (
        lambda: _body(LAUGHS, _paragraph(b"&l9;"), "utf-16"),
        "FileHasEntities",
    ),
    "quadratic.docx": (lambda: _body(QUADRATIC, _paragraph(b"&l9;" * 50_000)), "FileHasEntities"),
    "external.docx": (lambda: _body(EXTERNAL, _paragraph(b"&file;")), "FileHasEntities"),
    "laughs.xlsx": (
        lambda: changed(
            sheets(), {"xl/sharedStrings.xml": LAUGHS + b"<sst><si><t>&l9;</t></si></sst>"}
        ),
        "FileHasEntities",
    ),
    "deep.docx": (lambda: _body(b"", b"<w:sdt>" * 50_000 + b"</w:sdt>" * 50_000), "FileDamaged"),
    "tree.docx": (lambda: _body(b"", b"<w:p/>" * 15_000_000), "FileTakesTooMuchMemory"),
    "blank.docx": (lambda: _body(b"", _paragraph(b"  ")), "FileHasNoText"),
    "paths.docx": (lambda: changed(word(), {"../../../tmp/outside.xml": b"<x/>"}), None),
    "macros.docm": (
        lambda: _macros(word(), "wordprocessingml.document.main+xml", "word.document.macroEnabled"),
        "FileHasMacros",
    ),
    "macros.xlsm": (
        lambda: _macros(sheets(), "spreadsheetml.sheet.main+xml", "excel.sheet.macroEnabled"),
        "FileHasMacros",
    ),
    "macros.pptx": (
        lambda: changed(slides(), {"ppt/vbaProject.bin": b"Attribute VB_Name"}),
        "FileHasMacros",
    ),
    "encrypted.docx": (lambda: _ole("EncryptionInfo", "EncryptedPackage"), "FileEncrypted"),
    "with-password.docx": (_with_password, "FileEncrypted"),
    "old.doc": (lambda: _ole("Root Entry", "WordDocument"), "FileUnsupported"),
    "open.odt": (_open_document, "FileUnsupported"),
    "archive.docx": (_archive, "FileUnsupported"),
    "enormous.xlsx": (_enormous_sheet, None),
    "truncated.docx": (lambda: word()[:-200], "FileDamaged"),
    "half.pptx": (lambda: slides()[: len(slides()) // 2], "FileDamaged"),
    "only-a-head.xlsx": (lambda: b"PK\3\4", "FileDamaged"),
    "without-sheet.xlsx": (
        lambda: changed(sheets(), {"xl/worksheets/sheet1.xml": b""}),
        "FileDamaged",
    ),
}
