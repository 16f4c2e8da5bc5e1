"""How manual pages of the corpus of the benchmarks become plain text."""

from __future__ import annotations

import pytest

from benchmarks.knowledge import man

PAGE = r""".\" A comment
.de XX
.B not shown
..
.TH TAR 1 "2001" "GNU"
.SH 名称
tar \- 归档
.SH "OPTIONS"
.TP
.BR \-f ", " \-\-file " \fINAME\fP"
第一行
第二行 \(bu \e
.if n \{\
hidden
.\}
.nf
one   two
  three
.fi
"""


def test_a_page_becomes_paragraphs_without_commands() -> None:
    assert man.plain(PAGE) == (
        "TAR 1\n\n名称\n\ntar - 归档\n\nOPTIONS\n\n"
        "-f, --file NAME 第一行第二行 * \\\n\none   two\n  three\n"
    )


@pytest.mark.parametrize(
    "source", [".Dd May 1\n.Sh NAME\n", ".so man1/other.1\n", ".TS\na b\n.TE\n"]
)
def test_pages_of_other_macros_with_tables_or_references_are_refused(source: str) -> None:
    with pytest.raises(man.Unsupported):
        man.plain(source)
