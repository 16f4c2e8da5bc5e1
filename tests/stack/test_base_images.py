"""docker/images.sh, and the contract of the python image, official or offline."""

import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import suppress

import docker
import pytest
from docker.errors import ImageNotFound

from tests.stack import small_registry
from tests.stack.base_images import KINDS, Containers, references, run_images

pytest_plugins = ["tests.stack.base_image_fixtures"]


@pytest.fixture
def python(base_images: dict[str, str]) -> str:
    return base_images["python"]


@pytest.fixture
def silent_registry(base_client: docker.DockerClient) -> Iterator[str]:
    """The prefix of a registry that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []
    thread = threading.Thread(target=hold, args=(listener, held))
    thread.start()
    prefix = f"127.0.0.1:{listener.getsockname()[1]}/"
    yield prefix
    listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for each in (listener, *held):
        each.close()
    forget(base_client, prefix)


def forget(client: docker.DockerClient, prefix: str) -> None:
    for image in client.images.list():
        for tag in image.tags:
            if tag.startswith(prefix):
                client.images.remove(tag)


def hold(listener: socket.socket, held: list[socket.socket]) -> None:
    with suppress(OSError):
        while True:
            held.append(listener.accept()[0])


def test_images_that_are_there_are_left_alone(base_client: docker.DockerClient) -> None:
    first = run_images("ensure")
    again = run_images("ensure")
    assert (again.returncode, again.stderr, again.stdout) == (0, "", first.stdout)
    for reference in references(again.stdout).values():
        base_client.images.get(reference)


def test_the_table_names_source_id_and_size(base_images: dict[str, str]) -> None:
    done = run_images("list")
    assert list(base_images) == list(KINDS)
    for line in done.stdout.splitlines()[1:]:
        assert re.fullmatch(r"\S+ +(registry|debian) +[0-9a-f]{12}  \d+ MB", line), line


def test_a_silent_registry_is_given_up_for_debian(
    base_client: docker.DockerClient, silent_registry: str
) -> None:
    done = run_images(
        "ensure", REGISTRY_PREFIX=silent_registry, IMAGES="auto", IMAGES_PROBE_SECONDS="2"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no registry (") == 1
    assert "no answer within 2 s" in done.stderr
    for reference in references(done.stdout).values():
        assert reference.startswith(silent_registry)
        labels = base_client.images.get(reference).labels
        assert labels["org.mindgraph.image.source"] == "debian"


def test_a_silent_registry_is_an_error_where_one_is_demanded(
    base_client: docker.DockerClient, silent_registry: str
) -> None:
    done = run_images(
        "ensure", REGISTRY_PREFIX=silent_registry, IMAGES="registry", IMAGES_PROBE_SECONDS="2"
    )
    assert done.returncode == 1
    assert "no answer within 2 s" in done.stderr
    assert "IMAGES=debian" in done.stderr.splitlines()[-1]
    with pytest.raises(ImageNotFound):
        base_client.images.get(f"{silent_registry}postgres:17-trixie")


@pytest.mark.parametrize("source", ["auto", "registry"])
def test_a_slow_registry_is_waited_for(base_client: docker.DockerClient, source: str) -> None:
    with small_registry.slow_registry() as prefix:
        done = run_images("ensure", REGISTRY_PREFIX=prefix, IMAGES=source, IMAGES_PROBE_SECONDS="2")
        again = run_images("ensure", REGISTRY_PREFIX=prefix, IMAGES=source)
    forget(base_client, prefix)
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["registry"] * 4
    assert (again.returncode, again.stderr, again.stdout) == (0, "", done.stdout)


def test_a_refused_connection_is_given_up_at_once(base_client: docker.DockerClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        prefix = f"127.0.0.1:{listener.getsockname()[1]}/"
    done = run_images("ensure", REGISTRY_PREFIX=prefix, IMAGES="auto")
    forget(base_client, prefix)
    assert done.returncode == 0, done.stderr
    assert "connection refused" in done.stderr


def test_an_unknown_source_is_refused_with_its_remedy() -> None:
    done = run_images("ensure", IMAGES="dockerhub")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'Error: IMAGES is "dockerhub": use auto, registry or debian.\n'


def test_python_image_states_its_contract(base_client: docker.DockerClient, python: str) -> None:
    config = base_client.images.get(python).attrs["Config"]
    assert config["Cmd"] == ["python3"]
    assert not config["User"]
    assert "/usr/local/bin" in dict(each.split("=", 1) for each in config["Env"])["PATH"].split(":")


def test_python_and_pip_are_under_usr_local(base_containers: Containers, python: str) -> None:
    script = (
        "id -u; for name in python python3 pip pip3; do command -v $name; done; "
        "python3 -c 'import sys; print(sys.version_info[:2])'; "
        "python3 -c 'import ssl, sqlite3, zlib, bz2, lzma, ctypes, uuid, zoneinfo; "
        'zoneinfo.ZoneInfo("Asia/Shanghai"); print(ssl.create_default_context().cert_store_stats()'
        '["x509_ca"] > 0)\'; python3 -c \'print("思维导图")\''
    )
    assert base_containers.output(python, ["sh", "-c", script]).splitlines() == [
        "0",
        *(f"/usr/local/bin/{name}" for name in ("python", "python3", "pip", "pip3")),
        "(3, 13)",
        "True",
        "思维导图",
    ]


def test_pip_installs_outside_of_a_venv(base_containers: Containers, python: str) -> None:
    container = base_containers.start(
        python,
        [
            "sh",
            "-c",
            "pip install -q --no-index --root-user-action=ignore /one-1-py3-none-any.whl "
            "&& cd / && one && python3 -c 'import one; print(one.TEXT)'",
        ],
        files={"/one-1-py3-none-any.whl": wheel()},
    )
    assert container.wait()["StatusCode"] == 0, container.logs().decode()
    assert container.logs(stderr=False) == b"from one\nfrom one\n"


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("one.py", "TEXT = 'from one'\ndef main():\n    print(TEXT)\n")
        info = "one-1.dist-info/"
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: one\nVersion: 1\n")
        archive.writestr(
            info + "WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(info + "entry_points.txt", "[console_scripts]\none = one:main\n")
        archive.writestr(info + "RECORD", "")
    return buffer.getvalue()


def test_a_venv_runs_in_another_container_of_the_same_image(
    base_containers: Containers, python: str
) -> None:
    volumes = {base_containers.volume(): {"bind": "/opt", "mode": "rw"}}
    base_containers.output(python, ["python3", "-m", "venv", "/opt/venv"], volumes=volumes)
    script = 'readlink -e /opt/venv/bin/python3 && /opt/venv/bin/pip --version && echo "ok"'
    found = base_containers.output(
        python, ["sh", "-c", script], volumes=volumes, user="10001:10001", read_only=True
    )
    assert found.splitlines()[-1] == "ok"
