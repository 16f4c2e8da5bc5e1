"""PDFs for tests/hostile.py."""

import zlib

from tests import pdfs

HELLO = pdfs.text((72, 700, 12, "Hello world, this is text."))
VALID = pdfs.of_pages([HELLO, HELLO])
GB = 1024 * 1024 * 1024


def _encrypted() -> bytes:
    """With the standard handler, of 128 bits; the empty password doesn't fit."""
    encrypt = b"/Encrypt<</Filter/Standard/V 2/R 3/Length 128/P -4/O<%b>/U<%b>>>"
    identity = b"/ID[<%b><%b>]" % (b"01" * 16, b"01" * 16)
    trailer = encrypt % (b"5a" * 32, b"a5" * 32) + identity
    return pdfs.of_pages([HELLO], trailer=trailer)


def _of_another_handler() -> bytes:
    return pdfs.of_pages([HELLO], trailer=b"/Encrypt<</Filter/Some.Rights/V 4>>")


def _looping_pages() -> bytes:
    return pdfs.document(
        [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 5>>", b"3 0 R"]
    )


def _looping_outline() -> bytes:
    return pdfs.of_pages([HELLO], outline=[("One", 0), ("Two", 0)]).replace(
        # The second leads to the first again.
        b"/Title(Two)/Parent 5 0 R",
        b"/Title(Two)/Next   6 0 R",
    )


def _looping_forms() -> bytes:
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 5 0 R>>>>"
    return pdfs.document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
            b"/Resources<</XObject<</X 5 0 R>>>>>>",
            pdfs.stream(b"/X Do"),
            pdfs.stream(b"/X Do", form),
        ]
    )


def _multiplying_forms() -> bytes:
    """Each form shows the next ten times, to a depth of 25."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>"
    forms = [pdfs.stream(b"/X Do " * 10, form % (number + 1)) for number in range(5, 30)]
    return pdfs.document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R"
            b"/Resources<</XObject<</X 5 0 R>>>>>>",
            pdfs.stream(b"/X Do"),
            *forms,
            pdfs.stream(b"", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]"),
        ]
    )


def zeros(size: int) -> bytes:
    """So many zeros, deflated without header, in a fraction of the time that it takes to do so."""
    piece = 16 * 1024 * 1024
    compressor = zlib.compressobj(9, wbits=-15)
    once = compressor.compress(bytes(piece)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return once * (size // piece) + compressor.flush()


def _unpacking_to_much() -> bytes:
    """Two gigabytes, packed twice."""
    packed = zlib.compress(b"\x78\xda" + zeros(2 * GB - 16 * 1024 * 1024), 9)
    content = pdfs.stream(packed, b"/Filter[/FlateDecode/FlateDecode]")
    return pdfs.document(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
            content,
        ]
    )


FILES = {
    "encrypted.pdf": (_encrypted, "FileEncrypted"),
    "rights.pdf": (_of_another_handler, "FileEncrypted"),
    "pages.pdf": (lambda: pdfs.of_pages([HELLO] * 10_000), "FileHasTooManyPages"),
    "looping-pages.pdf": (_looping_pages, "FileDamaged"),
    "looping-outline.pdf": (_looping_outline, None),
    "looping-forms.pdf": (_looping_forms, "FileHasNoText"),
    "multiplying-forms.pdf": (_multiplying_forms, "FileTakesTooMuchMemory"),
    "unpacking.pdf": (_unpacking_to_much, "FileTakesTooMuchMemory"),
    "enormous-page.pdf": (lambda: pdfs.of_pages([HELLO], box=b"[0 0 1e12 1e12]"), None),
    "scan.pdf": (lambda: pdfs.of_pages([b"0 0 9 9 re f"]), "FileHasNoText"),
    "after-junk.pdf": (lambda: b"HTTP/1.1 200 OK\r\n\r\n" * 10 + VALID, None),
    "only-a-head.pdf": (lambda: b"%PDF-1.7\n", "FileDamaged"),
    "truncated-early.pdf": (lambda: VALID[:60], "FileDamaged"),
}
