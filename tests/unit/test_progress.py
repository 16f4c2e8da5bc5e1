import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from app.cli import progress
from app.ops.migrate.progress import Progress, Silence


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Window:
    """A terminal of 60 columns, and what came to it."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.resize(60)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def received(self) -> str:
        os.set_blocking(self._master, False)
        got = b""
        try:
            while part := os.read(self._master, 65536):
                got += part
        except BlockingIOError:
            pass
        return got.decode()

    def drawn(self) -> list[str]:
        """Each line that was drawn over the one before."""
        return [line.removesuffix("\x1b[K") for line in self.received().split("\r")[1:]]

    def close(self) -> None:
        self.stream.close()
        os.close(self._master)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def window() -> Iterator[Window]:
    made = Window()
    yield made
    made.close()


def test_a_terminal_shows_a_bar_with_rate_and_remaining_time(
    window: Window, clock: FakeClock
) -> None:
    window.resize(90)
    with progress.shown(window.stream, clock) as shown:
        shown.phase("copy", 4000, "rows")
        clock.now += 10
        shown.advance(1000)
        assert window.drawn() == [
            "[....................] copy: 0 of 4,000 rows (0 %)",
            "[#####...............] copy: 1,000 of 4,000 rows (25 %) 100/s 30 s left",
        ]


def test_the_line_is_gone_at_the_end(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("copy", 4000, "rows")
        window.received()
    assert window.received() == "\r\x1b[K"


def fail(shown: Progress, clock: FakeClock) -> None:
    shown.phase("copy", 100, "rows")
    clock.now += 2
    shown.advance(10)
    raise RuntimeError


def test_the_line_is_gone_after_an_error_too(window: Window, clock: FakeClock) -> None:
    with pytest.raises(RuntimeError), progress.shown(window.stream, clock) as shown:
        fail(shown, clock)
    assert window.received().endswith("\r\x1b[K")


def test_a_terminal_is_not_drawn_for_every_row(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("copy", 1000, "rows")
        for _ in range(1000):
            clock.now += 0.001
            shown.advance(1)
        assert 5 < len(window.drawn()) < 15


def test_a_line_is_never_wider_than_the_window(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("表" * 60, 10, "rows")
        (line,) = window.drawn()
        assert line.endswith("…")
        assert line.count("表") == (59 - len("[....................] …")) // 2
        window.resize(10)
        clock.now += 1
        shown.advance(1)
        assert window.drawn() == ["[##.....…"]


def test_a_window_without_a_size_is_taken_for_80_columns(window: Window, clock: FakeClock) -> None:
    window.resize(0)
    with progress.shown(window.stream, clock) as shown:
        shown.phase("x" * 100)
        assert [len(line) for line in window.drawn()] == [79]


def test_a_remark_stays_above_the_line(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("copy")
        shown.remark("3 tables\x1b[2J are kept")
        assert window.received().replace("\r\n", "\n") == (
            "\rcopy\x1b[K\r\x1b[K3 tables\\x1b[2J are kept\n\rcopy\x1b[K"
        )


def test_a_log_gets_whole_lines_now_and_then(clock: FakeClock) -> None:
    log = io.StringIO()
    with progress.shown(log, clock) as shown:
        shown.phase("copy", 100_000, "rows")
        for _ in range(25):
            clock.now += 1
            shown.advance(2000)
        shown.phase("indexes")
        clock.now += 1.5
        shown.remark("one index was slow")
    assert log.getvalue().splitlines() == [
        "copy: 20,000 of 100,000 rows (20 %) 2,000/s 40 s left",
        "copy: 40,000 of 100,000 rows (40 %) 2,000/s 30 s left",
        "copy: 50,000 rows in 25.0 s",
        "one index was slow",
        "indexes: 1.5 s",
    ]


def test_a_log_does_not_call_done_what_was_stopped(clock: FakeClock) -> None:
    log = io.StringIO()
    with pytest.raises(RuntimeError), progress.shown(log, clock) as shown:
        fail(shown, clock)
    assert log.getvalue() == "copy: 10 of 100 rows (10 %) 5/s 18 s left; stopped after 2.0 s\n"


def test_bytes_are_told_in_megabytes(clock: FakeClock) -> None:
    log = io.StringIO()
    with progress.shown(log, clock) as shown:
        shown.phase("snapshot", 946_000_000, "bytes")
        clock.now += 10
        shown.advance(100_000_000)
    assert log.getvalue().splitlines() == [
        "snapshot: 100.0 of 946.0 MB (10 %) 10.0/s 1:25 min left",
        "snapshot: 100.0 MB in 10.0 s",
    ]


def test_a_phase_without_a_total_has_no_bar(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("check", unit="rows")
        clock.now += 2
        shown.advance(500)
        assert window.drawn() == ["check: 0 rows", "check: 500 rows 250/s"]


def test_more_than_expected_is_no_more_than_all(window: Window, clock: FakeClock) -> None:
    with progress.shown(window.stream, clock) as shown:
        shown.phase("copy", 10, "rows")
        clock.now += 2
        shown.advance(30)
        assert window.drawn()[-1] == "[####################] copy: 30 of 10 rows (100 %) 15/s"


def test_hours_are_told_as_hours(clock: FakeClock) -> None:
    log = io.StringIO()
    with progress.shown(log, clock) as shown:
        shown.phase("copy", 1000, "rows")
        clock.now += 10
        shown.advance(1)
    assert log.getvalue().splitlines()[0] == "copy: 1 of 1,000 rows (0 %) 0/s 2:46 h left"


def test_advances_before_any_phase_are_passed_over(window: Window, clock: FakeClock) -> None:
    log = io.StringIO()
    for stream in (log, window.stream):
        with progress.shown(stream, clock) as shown:
            shown.advance(5)
    assert (log.getvalue(), window.received()) == ("", "")


def test_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    silent: Progress = Silence()
    silent.phase("copy", 10, "rows")
    silent.advance(1)
    silent.remark("a remark")
    assert tuple(capfd.readouterr()) == ("", "")
