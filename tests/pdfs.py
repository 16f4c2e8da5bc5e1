"""Writes small PDFs by hand."""

import zlib
from collections.abc import Sequence

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
LETTER = b"[0 0 612 792]"


def document(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Of objects that are numbered from 1; the first is the catalog."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R%b>>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), entries, data)


def text(*lines: tuple[int, int, int, str]) -> bytes:
    """A page's content: lines with their left, bottom and size in points, and their text."""
    shown = (
        b"/F %d Tf 1 0 0 1 %d %d Tm (%b) Tj" % (size, left, bottom, escaped(words))
        for left, bottom, size, words in lines
    )
    return b"BT " + b"\n".join(shown) + b" ET"


def escaped(words: str) -> bytes:
    plain = words.encode("latin-1")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def of_pages(
    contents: Sequence[bytes],
    *,
    box: bytes = LETTER,
    compressed: bool = False,
    outline: Sequence[tuple[str, int]] = (),
    title: str = "",
    trailer: bytes = b"",
) -> bytes:
    """A PDF with a page for each content.

    Args:
        outline: titles, each with its page from 0.
    """
    # 1 catalog, 2 pages, 3 font, 4 information, 5 outline, its entries, then each page with its
    # content.
    first = 6 + len(outline)
    pages = [first + 2 * at for at in range(len(contents))]
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + (b"/Outlines 5 0 R>>" if outline else b">>"),
        b"<</Type/Pages/Count %d/Kids[%b]>>"
        % (len(pages), b" ".join(b"%d 0 R" % page for page in pages)),
        FONT,
        b"<</Title(%b)>>" % escaped(title),
        b"<</First 6 0 R/Last %d 0 R/Count %d>>" % (first - 1, len(outline)),
    ]
    for at, (words, page) in enumerate(outline):
        following = b"/Next %d 0 R" % (7 + at) if at + 1 < len(outline) else b""
        objects.append(
            b"<</Title(%b)/Parent 5 0 R/Dest[%d 0 R/Fit]%b>>"
            % (escaped(words), pages[page], following)
        )
    for page, content in zip(pages, contents, strict=True):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox %b/Contents %d 0 R"
            b"/Resources<</Font<</F 3 0 R>>>>>>" % (box, page + 1)
        )
        if compressed:
            objects.append(stream(zlib.compress(content, 9), b"/Filter/FlateDecode"))
        else:
            objects.append(stream(content))
    return document(objects, b"/Info 4 0 R" + trailer)
