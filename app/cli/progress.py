"""How far an operation is: one moving line on a terminal, a line now and then in a log."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TextIO

from app.ops.migrate import widths
from app.ops.migrate.progress import Progress

REDRAW_S = 0.1
LOG_S = 10.0
# A rate of the first moments says nothing about the rest.
SETTLED_S = 1.0
BAR = 20
MEGABYTE = 1_000_000
# For streams that have no size, as in `docker run -t` without a window.
WIDTH = 80
# What stands from here to the end of the line.
CLEAR = "\x1b[K"
Clock = Callable[[], float]


class Phase:
    """One phase, and how far it is."""

    def __init__(self, name: str, total: int, unit: str, clock: Clock) -> None:
        self.name = widths.printable(name)
        self.total = total
        self.unit = unit
        self.done = 0
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        return self._clock() - self._began

    def state(self) -> str:
        amount = self._amount()
        parts = [f"{self.name}:" if amount else self.name, amount]
        if self.unit and self.done and self.seconds >= SETTLED_S:
            parts.append(f"{self._counted(self.done / self.seconds)}/s")
            if self.done < self.total:
                left = self.seconds * (self.total - self.done) / self.done
                parts.append(f"{_duration(left)} left")
        return " ".join(part for part in parts if part)

    def bar(self) -> str:
        if not self.total:
            return ""
        full = round(BAR * min(self.done / self.total, 1))
        return f"[{'#' * full}{'.' * (BAR - full)}] "

    def end(self) -> str:
        amount = f"{self._counted(self.done)} {self._unit} in " if self.unit else ""
        return f"{self.name}: {amount}{self.seconds:.1f} s"

    @property
    def _unit(self) -> str:
        return "MB" if self.unit == "bytes" else self.unit

    def _amount(self) -> str:
        if not self.unit:
            return ""
        if not self.total:
            return f"{self._counted(self.done)} {self._unit}"
        # Never 100 % before the end, also where more came than was expected.
        percent = min(100 * self.done // self.total, 100)
        return (
            f"{self._counted(self.done)} of {self._counted(self.total)} {self._unit} ({percent} %)"
        )

    def _counted(self, number: float) -> str:
        if self.unit == "bytes":
            return f"{number / MEGABYTE:,.1f}"
        return f"{number:,.0f}"


class Terminal:
    """One line that is drawn again and again, and gone at the end; remarks stay above it."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._phase: Phase | None = None
        self._drawn_at = 0.0

    def phase(self, name: str, total: int = 0, unit: str = "") -> None:
        self._phase = Phase(name, total, unit, self._clock)
        self._draw()

    def advance(self, count: int) -> None:
        if self._phase is None:
            return
        self._phase.done += count
        if self._clock() - self._drawn_at >= REDRAW_S:
            self._draw()

    def remark(self, text: str) -> None:
        self._write(f"\r{CLEAR}{widths.printable(text)}\n")
        self._draw()

    def close(self) -> None:
        if self._phase is not None:
            self._write(f"\r{CLEAR}")
        self._phase = None

    def _draw(self) -> None:
        if self._phase is None:
            return
        self._drawn_at = self._clock()
        line = self._phase.bar() + self._phase.state()
        # The last column is left free: some terminals begin a new line when it is filled.
        self._write(f"\r{widths.cut(line, self._columns() - 1)}{CLEAR}")

    def _columns(self) -> int:
        try:
            # Asked each time: windows change their size.
            return os.get_terminal_size(self._stream.fileno()).columns or WIDTH
        except OSError:
            return WIDTH

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Log:
    """Whole lines: each phase's end, and now and then how far a long one is."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._phase: Phase | None = None
        self._said_at = 0.0

    def phase(self, name: str, total: int = 0, unit: str = "") -> None:
        self.close()
        self._phase = Phase(name, total, unit, self._clock)
        self._said_at = self._clock()

    def advance(self, count: int) -> None:
        if self._phase is None:
            return
        self._phase.done += count
        if self._clock() - self._said_at >= LOG_S:
            self._said_at = self._clock()
            self._say(self._phase.state())

    def remark(self, text: str) -> None:
        self._say(widths.printable(text))

    def close(self) -> None:
        if self._phase is not None:
            self._say(self._phase.end())
        self._phase = None

    def stop(self) -> None:
        if self._phase is not None:
            self._say(f"{self._phase.state()}; stopped after {self._phase.seconds:.1f} s")
        self._phase = None

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


@contextmanager
def shown(stream: TextIO, clock: Clock = time.monotonic) -> Iterator[Progress]:
    """Shows progress for the block, in the way that suits the stream."""
    if stream.isatty():
        with closing(Terminal(stream, clock)) as terminal:
            yield terminal
        return
    log = Log(stream, clock)
    try:
        yield log
    except BaseException:
        # Nobody shall take the last phase for done.
        log.stop()
        raise
    log.close()


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02} h"
