"""The plain text of a document, read as simply as can be.

It is apart from what the application reads, so that questions are checked against something else.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import pypdfium2

# What a page holds, in characters: as the PDF files of the corpus, which are 1,400 to 1,700 and
# 2,500 to 2,700.
PAGE = {"en": 2500, "zh": 1500}


def pages_of(path: Path) -> list[str]:
    """The pages of a PDF file; any other file is one."""
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as document:
            return [squeezed(page.get_textpage().get_text_bounded()) for page in document]
    text = path.read_text("utf-8", errors="replace")
    return [squeezed(without_tags(text) if path.suffix == ".html" else text)]


def text_of(path: Path) -> str:
    return " ".join(pages_of(path))


def without_tags(text: str) -> str:
    text = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<!--.*?-->", " ", text)
    # Tags inside of a word or sentence must not part it.
    text = re.sub(
        r"(?i)</?(a|abbr|b|code|dfn|em|font|i|q|span|strong|sub|sup|tt|var)\b[^>]*>", "", text
    )
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def squeezed(text: str) -> str:
    """With single blanks; as phrases of questions are compared."""
    return " ".join(text.split())


def chinese_share(text: str) -> float:
    letters = len("".join(text.split()))
    return sum("\u4e00" <= letter <= "\u9fff" for letter in text) / max(letters, 1)
