"""Puts blocks together of a document that comes as opening and closing tags and texts between."""

import re
from collections.abc import Iterator

from app.knowledge.extraction import wrapping
from app.knowledge.texts import Block

# HTML's blanks; others were meant.
BLANKS = re.compile(r"[ \t\n\r\f]+")
LINE_END = "\v"
CELLS = " | "
# Of a cell or an item; what is longer is text that a table only puts side by side.
LONGEST_CELL = 2_000
# A list or table that is longer comes in several blocks.
LONGEST = 10_000


class Flow:
    """Take the blocks often: they are held until then."""

    def __init__(self) -> None:
        self._done: list[Block] = []
        self._text: list[str] = []
        self._level = 0
        self._code = 0
        self._lists = 0
        self._items: list[str] = []
        self._items_length = 0
        self._in_item = False
        # The tables that are open; a row is None outside of one. A table that others are in only
        # puts texts side by side.
        self._tables = 0
        self._rows: list[str] = []
        self._rows_length = 0
        self._row: list[str] | None = None
        self._is_layout = False

    def take(self) -> Iterator[Block]:
        """The blocks that are ready."""
        done, self._done = self._done, []
        yield from done

    def end(self) -> None:
        """Everything ends here, whatever is open."""
        self._end_text()
        self._end_row()
        self._end_rows()
        self._end_items()

    def add(self, text: str) -> None:
        self._text.append(text)

    def add_line_end(self) -> None:
        self._text.append("\n" if self._code else LINE_END)

    def open(self, level: int = 0) -> None:
        """A paragraph, or a heading of a level above 0."""
        if level and self._in_table():
            self._dissolve()
        if level:
            self._end_items()
        self._part()
        self._level = level

    def close(self) -> None:
        self._part()
        self._level = 0

    def pause(self) -> None:
        """A paragraph ends here, where what it is in goes on."""
        self._part()

    def open_code(self) -> None:
        if not self._code:
            self._part()
        self._code += 1

    def close_code(self) -> None:
        if self._code == 1:
            self._part(kind="code")
        self._code = max(0, self._code - 1)

    def open_list(self) -> None:
        self._part()
        if not self._lists and not self._in_table():
            self._end_items()
        self._lists += 1

    def close_list(self) -> None:
        self._part()
        self._in_item = False
        self._lists = max(0, self._lists - 1)
        if not self._lists:
            self._end_items()

    def open_item(self) -> None:
        self._part()
        self._in_item = True

    def open_table(self) -> None:
        if self._tables:
            self._dissolve()
        else:
            self._part()
            self._end_items()
            self._is_layout = False
        self._tables += 1

    def close_table(self) -> None:
        self._part()
        self._end_row()
        self._end_rows()
        self._tables = max(0, self._tables - 1)

    def open_row(self) -> None:
        self._part()
        self._end_row()
        if self._in_table():
            self._row = []

    def open_cell(self) -> None:
        self._part()
        if self._in_table():
            self._row = [] if self._row is None else self._row
            self._row.append("")

    def _in_table(self) -> bool:
        return self._tables > 0 and not self._is_layout

    def _part(self, kind: str = "paragraph") -> None:
        """Inside of a cell or item a paragraph is part of it; elsewhere it is a block."""
        if self._in_table() and self._row:
            self._end_cell()
        elif self._lists and self._in_item and not self._code:
            self._end_item()
        else:
            self._end_text(kind)

    def _end_cell(self) -> None:
        assert self._row
        cell = f"{self._row[-1]} {self._taken_line()}".strip()
        self._row[-1] = cell
        if len(cell) > LONGEST_CELL:
            self._dissolve()

    def _end_item(self) -> None:
        item = self._taken_line()
        if not item:
            return
        self._items.append(f"- {item}")
        self._items_length += len(item)
        # Further paragraphs of the item are lines of their own.
        if self._items_length > LONGEST:
            self._end_items()

    def _end_items(self) -> None:
        if self._items:
            self._done.append(Block("\n".join(self._items), "list"))
        self._items, self._items_length = [], 0

    def _end_text(self, kind: str = "paragraph") -> None:
        if self._code or kind == "code":
            text = "".join(self._text)
            self._text = []
            if text.strip():
                self._end_items()
                self._done.append(Block(text, "code"))
            return
        text = self._taken()
        if not text:
            return
        self._end_items()
        if self._level:
            self._done.append(Block(text, "heading", self._level))
        else:
            self._done.append(Block(text))

    def _end_row(self) -> None:
        if self._row and any(self._row):
            row = CELLS.join(self._row).rstrip(" |")
            self._rows.append(row)
            self._rows_length += len(row)
            if self._rows_length > LONGEST:
                self._end_rows()
        self._row = None

    def _end_rows(self) -> None:
        if self._rows:
            self._done.append(Block("\n".join(self._rows), "table"))
        self._rows, self._rows_length = [], 0

    def _dissolve(self) -> None:
        """The table holds more than cells: what is in it becomes text."""
        self._end_rows()
        row, self._row = self._row or [], None
        self._done += [Block(cell) for cell in row if cell]
        self._is_layout = True
        self._end_text()

    def _taken(self) -> str:
        lines = "".join(self._text).split(LINE_END)
        self._text = []
        return "\n".join(filter(None, (_folded(line) for line in lines)))

    def _taken_line(self) -> str:
        return " ".join(self._taken().split("\n"))


def _folded(text: str) -> str:
    if "\n" in text:
        return wrapping.join(BLANKS.sub(" ", text_line) for text_line in text.split("\n"))
    return BLANKS.sub(" ", text).strip()
