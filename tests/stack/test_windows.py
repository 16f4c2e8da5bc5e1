"""A checkout that Windows gave CRLF builds and runs."""

from __future__ import annotations

from pathlib import Path

from .checkouts import certificates, copy_to, with_crlf
from .people import Person
from .stacks import SERVICES, Stack


def test_a_checkout_with_crlf_in_every_file_builds_and_runs(tmp_path: Path) -> None:
    checkout = copy_to(tmp_path)
    changed = {str(path.relative_to(checkout)) for path in with_crlf(checkout)}
    assert {"app/__main__.py", "docker/app/mindgraph", "db/init/010-roles.sql"} <= changed
    with Stack(checkout=checkout) as stack:
        # Images of its own, which go with it.
        stack.set(IMAGE_NAMESPACE=stack.project)
        lines = stack.env_file.read_text("utf-8").splitlines()
        stack.env_file.write_bytes("\r\n".join([*lines, ""]).encode())
        stack.compose("build", environment=certificates())
        stack.up()
        assert {stack.health(service) for service in SERVICES} == {"healthy"}
        person = Person(stack.url)
        assert person.finds(person.save())
        person.close()
