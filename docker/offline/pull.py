"""Pulls an image for as long as the registry shows life: pull.py REF FIRST_SECONDS STALL_SECONDS.

The daemon does the pull, so its mirrors and proxies count. It waits for minutes where a registry
swallows packets; here the command line gets a terminal, which makes it report every bit of
progress, and is ended when nothing comes. Exit 1 with the reason on the last line of output.
"""

import os
import pty
import re
import select
import signal
import sys
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HEARTBEAT = 10.0


def main() -> int:
    reference, first, stall = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("docker", ["docker", "pull", reference])  # noqa: S606  # no shell is the point
    text, in_time = follow(terminal, reference, first, stall)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if in_time and status == 0:
        return 0
    if in_time:
        sys.stdout.write(reason_in(text) + "\n")
    elif text:
        sys.stdout.write(f"no progress for {stall:g} s\n")
    else:
        sys.stdout.write(f"no answer within {first:g} s\n")
    return 1


def follow(terminal: int, reference: str, first: float, stall: float) -> "tuple[str, bool]":
    """Returns the end of the output, and whether it ended by itself."""
    text = ""
    started = told = heard = time.monotonic()
    while True:
        now = time.monotonic()
        patience = heard + (stall if text else first) - now
        if patience <= 0:
            return text, False
        if now - told >= HEARTBEAT:
            told = now
            sys.stderr.write(f"images: pulling {reference}, {now - started:.0f} s\n")
        if not select.select([terminal], [], [], min(patience, 1.0))[0]:
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            # How a terminal reports on Linux that the other side is gone.
            return text, True
        if not chunk:
            return text, True
        heard = time.monotonic()
        text = (text + chunk.decode("utf-8", "replace"))[-4000:]


def reason_in(text: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", ESCAPES.sub("", text)) if line.strip()]
    return lines[-1].replace("Error response from daemon: ", "") if lines else "docker pull failed"


if __name__ == "__main__":
    sys.exit(main())
