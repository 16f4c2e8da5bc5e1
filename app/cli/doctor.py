import argparse

from app import logs, settings
from app.cli import output
from app.ops import doctor


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


def run(_options: argparse.Namespace) -> int:
    loaded = settings.load()
    logs.configure(loaded)
    findings = doctor.examine(loaded)
    for finding in findings:
        output.say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.what:<12} {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1
