import argparse
import getpass
import sys

from app import logs, settings
from app.cli import output
from app.db import engine
from app.db.session import Database
from app.errors import InvalidInput
from app.ops import users


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="users_command")
    create = commands.add_parser(
        "create-admin",
        help="make an administrator",
        description="Makes an administrator. The password, of 12 characters or more, "
        "is asked for, or read from a pipe.",
    )
    create.add_argument("login", help="a phone number of 11 digits, or name@school.org")
    create.add_argument("--name", help="the name that others see")


def run(options: argparse.Namespace) -> None:
    loaded = settings.load()
    logs.configure(loaded)
    password = _read_password()
    database = Database(engine.build(loaded, name="cli", threads=1))
    try:
        admin = users.create_admin(database, options.login, password, options.name)
    finally:
        database.close()
    output.say(f"administrator {admin.login} has id {admin.id}")


def _read_password() -> str:
    # Python has none when it was started with standard input closed.
    if sys.stdin is None:
        raise InvalidInput("standard input is closed; pipe the password into it")
    if not sys.stdin.isatty():
        return _read_line()
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise InvalidInput("the two passwords differ; nothing was done")
    return password


def _read_line() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("the password is no text; send it as UTF-8") from error
