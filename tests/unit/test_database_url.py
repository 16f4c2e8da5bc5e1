"""app/db/engine.py: the address of the database, made from settings, as libpq reads it."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg2.extensions import make_dsn, parse_dsn
from sqlalchemy import URL

from app.db import engine
from app.settings import load

AWKWARD = "@:/?#[]%&'\"$ <>\\é"
# What an environment variable can hold and PostgreSQL can compare.
PASSWORDS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1)


def libpq_reads(url: URL) -> dict[str, Any]:
    """What libpq understands when SQLAlchemy opens a connection to this address."""
    _, parameters = url.get_dialect()().create_connect_args(url)
    return parse_dsn(make_dsn(**parameters))


@given(password=PASSWORDS)
@example(password=AWKWARD)
@example(password=" ")
@example(password="%40'\\'")
def test_any_password_reaches_libpq_unchanged(password: str) -> None:
    environ = {"DATABASE_HOST": "db", "DATABASE_PASSWORD": password, "DATABASE_PORT": "6543"}
    assert libpq_reads(engine.url(load(environ))) == {
        "dbname": "mindgraph",
        "host": "db",
        "password": password,
        "port": "6543",
        "user": "mindgraph_user",
    }


@given(password=PASSWORDS)
@example(password=AWKWARD)
def test_a_quoted_password_in_an_address_reaches_libpq_unchanged(password: str) -> None:
    address = f"postgresql://user:{quote(password, safe='')}@db:5432/name"
    read = libpq_reads(engine.url(load({"DATABASE_URL": address})))
    assert (read["password"], read["host"], read["dbname"]) == (password, "db", "name")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
@pytest.mark.parametrize("owner", [False, True])
def test_every_form_of_an_address_uses_psycopg2(scheme: str, owner: bool) -> None:
    name = "DATABASE_OWNER_URL" if owner else "DATABASE_URL"
    url = engine.url(load({name: f"{scheme}://user:x@db/name"}), owner=owner)
    assert url.drivername == "postgresql+psycopg2"
    assert url.get_driver_name() == "psycopg2"


def test_the_owner_has_a_role_of_its_own() -> None:
    environ = {"DATABASE_HOST": "db", "DATABASE_PASSWORD": "a", "DATABASE_OWNER_PASSWORD": "b"}
    app, owner = (engine.url(load(environ), owner=owner) for owner in (False, True))
    assert (app.username, app.password) == ("mindgraph_user", "a")
    assert (owner.username, owner.password) == ("mindgraph_owner", "b")


def test_without_an_owners_password_one_role_does_all() -> None:
    url = engine.url(load({"DATABASE_HOST": "db", "DATABASE_PASSWORD": "a"}), owner=True)
    assert (url.username, url.password) == ("mindgraph_user", "a")


def test_without_a_server_the_database_is_a_file_in_the_data_folder() -> None:
    url = engine.url(load({"DATA_DIR": "/srv/data 数据"}))
    assert url.get_backend_name() == "sqlite"
    assert url.database == "/srv/data 数据/mindgraph.db"
