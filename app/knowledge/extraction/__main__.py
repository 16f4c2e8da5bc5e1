"""The process that reads one file: `python -m app.knowledge.extraction ORDER`. See sandbox.py."""

import faulthandler
import os
import sys

from app.knowledge.extraction import confinement, extractors, wire


def main() -> None:
    order = wire.decode_order(sys.argv[1])
    # A library that writes to standard output must not write into the result.
    result = os.dup(1)
    os.dup2(2, 1)
    faulthandler.enable()
    confinement.confine(order.parent, order.limits)
    with os.fdopen(result, "wb") as output:
        extractors.run(order, output)
        output.flush()
        # Whatever the libraries would still tidy up at the end of the process, nobody needs.
        os._exit(0)


if __name__ == "__main__":
    main()
