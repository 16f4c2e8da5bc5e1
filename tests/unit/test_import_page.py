from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.ops.migrate import page
from app.ops.migrate.results import Pair, QuarantinedRow, Report
from tests.unit.reports import column, different, identical, proof, table, with_quarantine

VOID = {"meta"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "dl", "dt", "dd", "div"),
    *("table", "tr", "th", "td", "details", "summary", "span", "ul", "li"),
}
HOSTILE = "<script>alert('1')</script>\"><img src=http://x/ onerror=alert(1)>&amp;'"


class Page(HTMLParser):
    """What a browser makes of a page, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def titles(self) -> list[str | None]:
        return [value for name, value in self.attributes if name == "title"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(report: Report) -> Page:
    made = Page(page.to_html(report))
    assert made.open == []
    assert set(made.tags) <= ALLOWED
    names = {name for name, _ in made.attributes}
    assert names <= {
        *("lang", "charset", "http-equiv", "content", "name", "class", "title", "open")
    }
    return made


def hostile() -> Report:
    evil = replace(
        table(HOSTILE, columns=(column(HOSTILE, least=Pair(HOSTILE, None)),)),
        target=HOSTILE,
        rows=Pair("1", "2"),
    )
    return replace(
        identical(),
        source=HOSTILE,
        target=HOSTILE,
        started_at=HOSTILE,
        seconds={HOSTILE: 1.0},
        moves=(HOSTILE,),
        left_out=((HOSTILE, HOSTILE, HOSTILE),),
        quarantined=(QuarantinedRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        quarantined_total=1,
        proof=replace(proof(evil, problems=(HOSTILE,)), checked={HOSTILE: 1}),
        remarks=(HOSTILE,),
        problem=HOSTILE,
        verdict="failed",
    )


@pytest.mark.parametrize(
    ("report", "kind"),
    [(identical(), "good"), (with_quarantine(), "warn"), (different(), "bad")],
    ids=["identical", "quarantine", "different"],
)
def test_the_verdict_stands_at_the_top(report: Report, kind: str) -> None:
    made = parsed(report)
    body = made.tags[made.tags.index("body") :]
    assert body[:3] == ["body", "h1", "p"]
    assert ("class", f"verdict {kind}") in made.attributes


def test_a_page_needs_nothing_else() -> None:
    text = page.to_html(with_quarantine())
    for reference in ("http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"):
        assert reference not in text
    assert "default-src 'none'" in text
    assert 'name="viewport"' in text
    assert "prefers-color-scheme: dark" in text


def test_hostile_names_and_values_are_shown_as_text() -> None:
    text = page.to_html(hostile())
    assert "<script" not in text
    assert "<img" not in text
    made = parsed(hostile())
    assert made.text.count("<script>alert('1')</script>") >= 8
    assert HOSTILE in made.titles


def test_each_table_has_its_columns_and_the_different_ones_are_open() -> None:
    made = parsed(different())
    assert made.tags.count("details") == 2
    assert made.attributes.count(("open", None)) == 1
    assert "7 in the file, 6 in PostgreSQL" in made.text
    # Both sides of what differs, one line for what is equal.
    assert made.texts.count("both") == 3
    assert (made.texts.count("file"), made.texts.count("0000")) == (1, 1)


def test_long_values_are_cut_and_whole_in_their_title() -> None:
    long = "知识" * 300
    made = parsed(identical(table("users", columns=(column("name", most=Pair(long, long)),))))
    assert made.titles == [long]
    assert long[:39] + "…" in made.texts


def test_more_in_quarantine_than_is_shown_is_told() -> None:
    made = parsed(with_quarantine())
    assert "And 1 more; legacy.import_quarantine has them all." in made.texts
    assert "3 in quarantine" in made.text
    assert "(row)" in made.texts


def test_a_report_without_a_proof_is_a_page_too() -> None:
    made = parsed(replace(identical(), proof=None, seconds={}, left_out=(), moves=()))
    assert "details" not in made.tags


def test_thousands_of_tables_make_a_page() -> None:
    made = parsed(identical(*(table(f"table_{number}") for number in range(3000))))
    assert made.tags.count("details") == 3000
