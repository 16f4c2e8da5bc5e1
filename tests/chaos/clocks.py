"""The time of day that the containers of a stack see. The machine's own can't be set: it is that of
everybody, and of the engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
from pathlib import Path
from typing import Any

import docker

from tests.stack import built_images

BUILD = Path(__file__).with_name("clock")
INSIDE = "/clock"
# Not Redis: its allocator asks for the time before the library can tell it, and both wait for ever.
# It counts down by itself how long its keys live.
SERVICES = ("app", "postgres", "worker")
# To this setting is the library preloaded, where it has a value.
LIBRARY = "CLOCK_LIBRARY"


class Clock:
    """Shown to who runs with `settings` and has `surroundings` of the folder."""

    def __init__(self, folder: Path) -> None:
        self.settings = {LIBRARY: f"{INSIDE}/clock.so"}
        self._folder = folder

    def fetch(self) -> None:
        """The library; it is no part of any image of the service."""
        with contextlib.closing(docker.from_env()) as engine:
            made = engine.containers.create(built_images.image(engine, BUILD, "app"))
            try:
                parts, _ = made.get_archive("/srv/clock.so")
                packed = io.BytesIO(b"".join(parts))
            finally:
                made.remove()
        with tarfile.open(fileobj=packed) as archive:
            archive.extractall(self._folder, filter="data")
        self.set(0)

    def set(self, ahead_s: int) -> None:
        """So far from the machine's, at once and for all."""
        new = self._folder / "new"
        new.write_text(f"{ahead_s:+d}\n", encoding="utf-8")
        new.rename(self._folder / "now")


def surroundings(folder: Path) -> dict[str, Any]:
    """What is added to a service, so that a clock in the folder can be shown to it. The one that
    never jumps stays as it is."""
    return {
        "environment": {
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": f"{INSIDE}/now",
            "LD_PRELOAD": f"${{{LIBRARY}:-}}",
            "NO_FAKE_STAT": "1",
        },
        "volumes": [f"{folder}:{INSIDE}:ro"],
    }
