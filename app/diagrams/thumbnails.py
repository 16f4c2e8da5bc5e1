"""Pictures of diagrams, which come and are stored as data URLs."""

import base64
import binascii
import re
from typing import NamedTuple

LARGEST_KB = 200

DATA_URL = re.compile(r"data:(image/(?:png|jpeg|webp));base64,([A-Za-z0-9+/]+={0,2})")
# A browser is told the kind, and nothing else may be served as a picture.
BEGINNINGS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


class Picture(NamedTuple):
    media_type: str
    content: bytes


def check(url: str) -> str:
    """Returns the data URL unchanged. Raises ValueError."""
    read(url)
    return url


def read(url: str) -> Picture:
    """The picture in a data URL.

    Raises:
        ValueError: it isn't one of a PNG, JPEG or WebP of at most `LARGEST_KB`.
    """
    found = DATA_URL.fullmatch(url)
    if not found:
        raise ValueError("must be like data:image/png;base64,..., or with image/jpeg or image/webp")
    try:
        content = base64.b64decode(found[2], validate=True)
    except binascii.Error as error:
        raise ValueError("must be valid base64") from error
    if len(content) > LARGEST_KB * 1024:
        raise ValueError(f"must be a picture of at most {LARGEST_KB} KB")
    if not BEGINNINGS[found[1]].match(content):
        raise ValueError(f"must be what it says that it is, {found[1]}")
    return Picture(found[1], content)
