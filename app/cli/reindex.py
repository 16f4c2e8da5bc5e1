import argparse

from app import logs, settings
from app.cli import output
from app.ops import knowledge

SAY_EVERY = 5_000


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    said = 0

    def report(done: int, total: int) -> None:
        nonlocal said
        if done - said >= SAY_EVERY or done == total:
            said = done
            output.complain(f"{done} of {total} passages")

    with knowledge.tools(loaded) as tools:
        made = knowledge.reindex(tools, report)
    output.say(f"the search index is new: {made.passages} passages, vectors of {made.model}")
