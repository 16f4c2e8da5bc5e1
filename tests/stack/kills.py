"""kill -9 for processes of a stack, as an accident would do it."""

from __future__ import annotations

from docker.models.containers import Container

from .stacks import Stack


def init_of(container: Container) -> int:
    """The engine's number for the first process of the container."""
    return int(container.attrs["State"]["Pid"])


def main_process_of(container: Container) -> int:
    """The process that init started; what healthchecks left behind is below init as well."""
    return children(container, init_of(container))[0]


def child_of_main_process(container: Container) -> int:
    return children(container, main_process_of(container))[0]


def children(container: Container, parent: int) -> list[int]:
    """The oldest first. Numbers alone don't tell: the kernel begins anew after 32,768."""
    listed = container.top(ps_args="-o pid,ppid,etimes")["Processes"]
    found = [(-int(age_s), int(pid)) for pid, above, age_s in listed if int(above) == parent]
    return [pid for _, pid in sorted(found)]


def kill(stack: Stack, pid: int) -> None:
    """As root among all processes of the engine's machine, which need not be this one.

    `docker kill` would not do: the engine takes that for a wish and doesn't start it again.
    """
    killer = stack.engine.containers.run(
        f"{stack.env['IMAGE_NAMESPACE']}-redis",
        detach=True,
        entrypoint=["bash", "-c", f"kill -9 {pid}"],
        labels={"com.docker.compose.project": stack.project},
        network_mode="none",
        pid_mode="host",
        user="0",
    )
    try:
        assert killer.wait()["StatusCode"] == 0
    finally:
        # With its volume, which the SDK's own `remove=True` leaves behind.
        killer.remove(v=True, force=True)


def kill_and_wait_for_restart(stack: Stack, service: str, pid: int) -> None:
    before = stack.state(service)["StartedAt"]
    kill(stack, pid)
    stack.wait(lambda: stack.state(service)["StartedAt"] != before, f"{service} was restarted")
