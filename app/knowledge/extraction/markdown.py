"""Text of Markdown, without its signs."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.knowledge.extraction import encodings, html
from app.knowledge.extraction.facts import Facts
from app.knowledge.extraction.flow import Flow
from app.knowledge.extraction.limits import Limits
from app.knowledge.texts import Block

FRONT_MATTER = re.compile(r"---[ \t]*\r?\n([\s\S]{0,20000}?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")
TITLE = re.compile(r"^title[ \t]*:[ \t]*(.{1,500}?)[ \t]*$", re.MULTILINE)
STEPS: dict[str, Callable[[Flow], None]] = {
    "paragraph_open": Flow.open,
    "heading_close": Flow.close,
    "paragraph_close": Flow.close,
    "bullet_list_open": Flow.open_list,
    "bullet_list_close": Flow.close_list,
    "ordered_list_open": Flow.open_list,
    "ordered_list_close": Flow.close_list,
    "list_item_open": Flow.open_item,
    "table_open": Flow.open_table,
    "table_close": Flow.close_table,
    "tr_open": Flow.open_row,
    "td_open": Flow.open_cell,
    "th_open": Flow.open_cell,
}


def read(path: Path, _limits: Limits, facts: Facts) -> Iterator[Block]:
    text = encodings.decode(path.read_bytes())
    front = FRONT_MATTER.match(text)
    if front:
        title = TITLE.search(front[1])
        facts.title = title[1].strip("\"'") if title else None
        text = text[front.end() :]
    for block in _blocks(MarkdownIt("commonmark").enable("table").parse(text)):
        if facts.title is None and block.kind == "heading" and block.level == 1:
            facts.title = block.text
        yield block


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    builder = Flow()
    for token in tokens:
        _add(builder, token)
        yield from builder.take()
    builder.end()
    yield from builder.take()


def _add(builder: Flow, token: Token) -> None:
    if token.type == "heading_open":
        builder.open(int(token.tag[1:]))
    elif token.type in STEPS:
        STEPS[token.type](builder)
    else:
        _add_content(builder, token)


def _add_content(builder: Flow, token: Token) -> None:
    match token.type:
        case "fence" | "code_block":
            builder.open_code()
            builder.add(token.content)
            builder.close_code()
        case "html_block":
            for block in html.of_text(token.content, Facts()):
                builder.open(block.level)
                builder.add(block.text)
                builder.close()
        case "inline":
            for inline in token.children or ():
                _add_inline(builder, inline)


def _add_inline(builder: Flow, token: Token) -> None:
    match token.type:
        case "text" | "code_inline" | "image":
            builder.add(token.content)
        case "softbreak":
            builder.add("\n")
        case "hardbreak":
            builder.add_line_end()
