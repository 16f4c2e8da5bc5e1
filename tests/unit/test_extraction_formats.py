import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest

from app.knowledge.extraction import html, markdown, pdf, plain, sheets, slides, word
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block
from tests import hostile_office, pdfs

Seen = list[tuple[Any, ...]]
Read = Callable[[Any, bytes], tuple[list[Block], Facts]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file's content with an extractor."""

    def read(extractor: Any, content: bytes) -> tuple[list[Block], Facts]:
        path = tmp_path / "file"
        path.write_bytes(content)
        facts = Facts()
        return list(extractor.read(path, Limits(), facts)), facts

    return read


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def seen(blocks: list[Block]) -> Seen:
    return [(block.kind, block.level, block.text.strip()) for block in blocks]


def test_a_word_document_is_read_in_its_order(read: Read) -> None:
    document = docx.Document()
    document.core_properties.title = "Report of 2024"
    document.add_heading("概述", 1)
    document.add_paragraph("First\tline")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Number")
    table = document.add_table(2, 2)
    for at, text in enumerate(["a", "b", "", "d"]):
        table.cell(at // 2, at % 2).text = text
    document.add_heading("Details", 2)
    document.add_paragraph("Last.")
    blocks, facts = read(word, saved(document))
    assert seen(blocks) == [
        ("heading", 1, "概述"),
        ("paragraph", 0, "First\tline"),
        ("list", 0, "- one\n- two"),
        ("table", 0, "a | b\n | d"),
        ("heading", 2, "Details"),
        ("paragraph", 0, "Last."),
    ]
    assert facts == Facts(title="Report of 2024")


BODY = (
    b"<w:document xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main' "
    b"xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006'><w:body>%b</w:body>"
    b"</w:document>"
)
STYLES = (
    "<w:styles xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>"
    "<w:style w:styleId='2'><w:name w:val='heading 2'/></w:style>"
    "<w:style w:styleId='a'><w:name w:val='标题 3'/></w:style>"
    "<w:style w:styleId='b'><w:name w:val='我的'/><w:basedOn w:val='2'/></w:style>"
    "<w:style w:styleId='c'><w:name w:val='x'/><w:pPr><w:outlineLvl w:val='3'/></w:pPr></w:style>"
    "<w:style w:styleId='d'><w:name w:val='loop'/><w:basedOn w:val='d'/></w:style></w:styles>"
)


@pytest.mark.parametrize(
    ("properties", "level"),
    [
        (b"<w:pStyle w:val='2'/>", 2),
        (b"<w:pStyle w:val='a'/>", 3),
        (b"<w:pStyle w:val='b'/>", 2),
        (b"<w:pStyle w:val='c'/>", 4),
        (b"<w:pStyle w:val='d'/>", 0),
        (b"<w:pStyle w:val='nothing'/>", 0),
        (b"<w:outlineLvl w:val='0'/>", 1),
        (b"<w:pStyle w:val='2'/><w:outlineLvl w:val='9'/>", 0),
    ],
)
def test_a_heading_of_word_is_known_by_its_style_in_any_language(
    read: Read, properties: bytes, level: int
) -> None:
    paragraph = b"<w:p><w:pPr>%b</w:pPr><w:r><w:t>Text</w:t></w:r></w:p>" % properties
    parts = {"word/document.xml": BODY % paragraph, "word/styles.xml": STYLES.encode()}
    blocks, _ = read(word, hostile_office.changed(hostile_office.word(), parts))
    assert [(block.text, block.level) for block in blocks] == [("Text", level)]


def test_what_word_wraps_is_read_and_what_was_deleted_is_not(read: Read) -> None:
    run = b"<w:r><w:t>%b</w:t></w:r>"
    body = (
        b"<w:sdt><w:sdtContent><w:p>" + run % b"in a control" + b"</w:p></w:sdtContent></w:sdt>"
        b"<w:p><w:del>" + run % b"deleted" + b"</w:del><w:ins>" + run % b"inserted" + b"</w:ins>"
        b"<w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p>" + run % b"in a box" + b"</w:p>"
        b"</w:txbxContent></mc:Choice><mc:Fallback><w:p>" + run % b"again" + b"</w:p></mc:Fallback>"
        b"</mc:AlternateContent></w:r></w:p>"
        b"<w:tbl><w:tr><w:tc><w:p>" + run % b"framed" + b"</w:p></w:tc></w:tr></w:tbl>"
    )
    parts = {"word/document.xml": BODY % body}
    blocks, _ = read(word, hostile_office.changed(hostile_office.word(), parts))
    assert [block.text for block in blocks] == [
        "in a control",
        "inserted\nin a box",
        "framed",
    ]


def test_a_slide_is_a_page_with_its_title_lists_tables_groups_and_notes(read: Read) -> None:
    presentation = pptx.Presentation()
    for title in ("First", "第二"):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        shapes: Any = slide.shapes
        shapes.title.text = title
        shapes.placeholders[1].text = "one\ntwo"
    group = shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "in a group"
    table = shapes.add_table(1, 2, 0, 0, 9, 9).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    slide.notes_slide.notes_text_frame.text = "said aloud"
    blocks, facts = read(slides, saved(presentation))
    assert [(block.page, block.kind, block.text) for block in blocks] == [
        (1, "heading", "First"),
        (1, "list", "- one\n- two"),
        (2, "heading", "第二"),
        (2, "list", "- one\n- two"),
        (2, "paragraph", "in a group"),
        (2, "table", "a | b"),
        (2, "paragraph", "said aloud"),
    ]
    assert facts == Facts(title="First", pages=2)


def test_a_sheet_is_a_page_with_its_name_and_tables(read: Read) -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.title = "数据"
    sheet.append(["name", "value", None])
    sheet.append(["a", 1.5, True])
    sheet.append([])
    sheet.append([None, 0.1 + 0.2, datetime.date(2024, 5, 1), datetime.time(12, 30)])
    workbook.create_sheet("empty")
    other: Any = workbook.create_sheet("other")
    other.cell(row=5, column=3).value = 7
    blocks, facts = read(sheets, saved(workbook))
    assert [(block.page, block.kind, block.text) for block in blocks] == [
        (1, "heading", "数据"),
        (1, "table", "name | value\na | 1.5 | TRUE"),
        (1, "table", "0.3 | 2024-05-01 | 12:30:00"),
        (3, "heading", "other"),
        (3, "table", "7"),
    ]
    assert facts.pages == 3


def test_a_page_of_html_gives_its_text_without_scripts_menus_and_what_is_hidden(read: Read) -> None:
    page = """<!doctype html><html><head><title>A &amp; B</title><style>p{}</style></head><body>
        <nav>menu</nav><h1>Head <em>ing</em></h1><p>one<br>two
        three <b>b</b>old<p hidden>hidden<p style="display: none">hidden
        <ul><li>a<li><p>b<ul><li>c</ul></ul><pre><code>x = 1\n    y</code></pre>
        <table><caption>Cap<tr><th>n<th>v<tr><td>1<td>2</table>
        <template>no</template><script>no()</script><p>知\n识</body></html>"""
    blocks, facts = read(html, page.encode())
    assert seen(blocks) == [
        ("heading", 1, "Head ing"),
        ("paragraph", 0, "one\ntwo three bold"),
        ("list", 0, "- a\n- b\n- c"),
        ("code", 0, "x = 1\n    y"),
        ("paragraph", 0, "Cap"),
        ("table", 0, "n | v\n1 | 2"),
        ("paragraph", 0, "知识"),
    ]
    assert facts.title == "A & B"


def test_a_table_that_only_lays_out_a_page_gives_its_texts(read: Read) -> None:
    page = (
        b"<table><tr><td>left<td><h2>Title</h2><p>text<table><tr><td>a<td>b</table></table><p>end"
    )
    blocks, _ = read(html, page)
    assert [block.text for block in blocks] == ["left", "Title", "text", "a", "b", "end"]


def test_xml_is_read_with_its_tags_as_borders(read: Read) -> None:
    blocks, _ = read(
        html, b"<?xml version='1.0'?><book><script/><para>one</para><para>two</para></book>"
    )
    assert [block.text for block in blocks] == ["one", "two"]


def test_html_is_read_in_the_encoding_that_it_declares(read: Read) -> None:
    blocks, _ = read(html, "<meta charset=big5><p>測試".encode("big5"))
    assert blocks == [Block("測試")]


def test_markdown_gives_its_text_without_signs(read: Read) -> None:
    text = (
        '---\ntitle: "The title"\n---\n# One *two*\n\ntext `code` [link](http://x)\nnext\n\n'
        "- a\n- b\n  1. c\n\n| h | i |\n|---|---|\n| 1 | 2 |\n\n```py\nx\n\n  y\n```\n\n"
        "<div>raw <b>html</b></div>\n\n> quoted\n\nSet\n---\n"
    )
    blocks, facts = read(markdown, text.encode())
    assert seen(blocks) == [
        ("heading", 1, "One two"),
        ("paragraph", 0, "text code link next"),
        ("list", 0, "- a\n- b\n- c"),
        ("table", 0, "h | i\n1 | 2"),
        ("code", 0, "x\n\n  y"),
        ("paragraph", 0, "raw html"),
        ("paragraph", 0, "quoted"),
        ("heading", 2, "Set"),
    ]
    assert facts.title == "The title"


def test_plain_text_gives_paragraphs_and_the_headings_that_are_plain_to_see(read: Read) -> None:
    text = (
        "Title\n=====\n\nA paragraph that is wrapped at a width of\n"
        "forty characters, as letters were.\n\n"
        "Part\n----\nshort\nlines\n\n"
        "第一章 绪论\n正文在这里。\n\nNAME\n       ls - list\n\n"
        "- an item\n  that goes on\n- b\n\n    if x:\n        y()\n"
    )
    blocks, _ = read(plain, text.encode())
    assert seen(blocks) == [
        ("heading", 1, "Title"),
        (
            "paragraph",
            0,
            "A paragraph that is wrapped at a width of forty characters, as letters were.",
        ),
        ("heading", 2, "Part"),
        ("paragraph", 0, "short\nlines"),
        ("heading", 2, "第一章 绪论"),
        ("paragraph", 0, "正文在这里。"),
        ("heading", 1, "NAME"),
        ("paragraph", 0, "ls - list"),
        ("list", 0, "- an item that goes on\n- b"),
        ("code", 0, "if x:\n    y()"),
    ]


def body(*lines: str, top: int = 650) -> list[tuple[int, int, int, str]]:
    return [(72, top - 14 * at, 12, line) for at, line in enumerate(lines)]


def test_a_pdf_gives_paragraphs_with_their_pages_and_healed_lines(read: Read) -> None:
    first = body("This is the first line of a para-", "graph that goes on in a second line of it.")
    second = body("Another paragraph stands below, with", "two lines.", top=590)
    content = pdfs.of_pages(
        [pdfs.text(*first, *second), pdfs.text(*body("Second page."))], title="A title"
    )
    blocks, facts = read(pdf, content)
    assert [(block.page, block.kind, block.text) for block in blocks] == [
        (
            1,
            "paragraph",
            "This is the first line of a paragraph that goes on in a second line of it.",
        ),
        (1, "paragraph", "Another paragraph stands below, with two lines."),
        (2, "paragraph", "Second page."),
    ]
    assert facts == Facts(title="A title", pages=2)


def test_headings_of_a_pdf_are_known_by_its_outline_or_their_size(read: Read) -> None:
    content = pdfs.of_pages(
        [
            pdfs.text((72, 700, 18, "Large heading"), *body("Text of the page.", "More of it.")),
            pdfs.text(*body("1. In the outline", "Text of the page."), (72, 500, 12, "End.")),
        ],
        outline=[("1.  In the Outline", 1)],
    )
    blocks, _ = read(pdf, content)
    headings = [(block.page, block.text) for block in blocks if block.kind == "heading"]
    assert headings == [(1, "Large heading"), (2, "1. In the outline")]


def test_what_stands_on_every_page_of_a_pdf_is_left_out(read: Read) -> None:
    pages = [
        pdfs.text(
            (72, 750, 9, "The School Report"),
            *body(f"What is said on page {word}.", "It has a line that differs."),
            (300, 40, 9, f"Page {number} of 4"),
        )
        for number, word in enumerate(("one", "two", "three", "four"), 1)
    ]
    text = " ".join(block.text for block in read(pdf, pdfs.of_pages(pages, compressed=True))[0])
    assert "School Report" not in text
    assert "of 4" not in text
    assert "What is said on page three." in text


def test_items_of_a_pdf_are_a_list(read: Read) -> None:
    content = pdfs.of_pages([pdfs.text(*body("These are they:", "1. one", "2. two", "3. three"))])
    blocks, _ = read(pdf, content)
    assert seen(blocks)[-1] == ("list", 0, "1. one\n2. two\n3. three")
