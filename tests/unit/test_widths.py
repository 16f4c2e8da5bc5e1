import pytest

from app.ops.migrate import widths


@pytest.mark.parametrize(
    ("text", "columns"),
    [("users", 5), ("用户", 4), ("ﾃｽﾄ", 3), ("e\u0301", 1), ("👍", 2), ("", 0), ("a用b", 4)],
)
def test_a_text_has_the_width_that_a_terminal_gives_it(text: str, columns: int) -> None:
    assert widths.width(text) == columns


def test_columns_are_filled_up_on_either_side() -> None:
    assert widths.left("用户", 6) + "|" == "用户  |"
    assert widths.right("用户", 6) + "|" == "  用户|"
    assert widths.left("too long", 3) == "too long"


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("users", 5, "users"),
        ("users", 4, "use…"),
        ("用户表", 6, "用户表"),
        ("用户表", 5, "用户…"),
        ("用户表", 4, "用…"),
        ("users", 1, "…"),
        ("users", 0, ""),
    ],
)
def test_a_long_text_is_cut_between_characters(text: str, columns: int, shown: str) -> None:
    assert widths.cut(text, columns) == shown


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\nb\tc\0", r"a\nb\tc\x00"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udc80", r"\udc80"),
        ("\x9b1m", r"\x9b1m"),
    ],
)
def test_what_steers_a_terminal_is_shown_and_not_sent(hostile: str, shown: str) -> None:
    assert widths.printable(hostile) == shown


def test_names_and_emoji_stay_as_they_are() -> None:
    for name in ("users", "用户 2024", "Ünïcode", "👨\u200d👩\u200d👧", "❤\ufe0f"):
        assert widths.printable(name) == name
