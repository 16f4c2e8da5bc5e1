"""The old database in tests/data, whose values are all invented."""

import lzma
from pathlib import Path

from tests.places import CHECKOUT

PACKED = CHECKOUT / "tests" / "data" / "mindgraph-sample.db.xz"


def unpack(file: Path) -> Path:
    file.write_bytes(lzma.decompress(PACKED.read_bytes()))
    return file
