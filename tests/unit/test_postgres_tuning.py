"""docker/postgres/bin/mindgraph-tuning: the one formula for the size of the server."""

import subprocess

import pytest

from tests.places import CHECKOUT

TUNING = CHECKOUT / "docker/postgres/bin/mindgraph-tuning"
UNITS_KB = {"kB": 1, "MB": 1024}


def tuned(memory_mb: int, cores: int, connections: int) -> dict[str, str]:
    command = ["bash", str(TUNING), str(memory_mb), str(cores), str(connections)]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def kilobytes(value: str) -> int:
    return int(value[:-2]) * UNITS_KB[value[-2:]]


@pytest.mark.parametrize("cores", [1, 2, 16, 96])
@pytest.mark.parametrize("memory_mb", [512, 1024, 3000, 16_384, 262_144])
@pytest.mark.parametrize("connections", [50, 100, 500])
def test_what_all_take_at_their_most_fits_into_the_memory(
    memory_mb: int, cores: int, connections: int
) -> None:
    shown = tuned(memory_mb, cores, connections)
    shared = kilobytes(shown["shared_buffers"])
    sorts = kilobytes(shown["work_mem"]) * connections // 2
    # Three of autovacuum's.
    upkeep = kilobytes(shown["maintenance_work_mem"]) * 3
    assert shared + sorts + upkeep <= memory_mb * 1024
    assert kilobytes(shown["effective_cache_size"]) < memory_mb * 1024
    assert kilobytes(shown["min_wal_size"]) < kilobytes(shown["max_wal_size"])
    assert int(shown["max_parallel_workers"]) <= int(shown["max_worker_processes"])


def test_a_server_of_eight_gigabytes_and_four_cores() -> None:
    shown = tuned(8192, 4, 100)
    assert shown["shared_buffers"] == "2048MB"
    assert shown["effective_cache_size"] == "6144MB"
    assert shown["work_mem"] == "41943kB"
    assert shown["maintenance_work_mem"] == "512MB"
    assert shown["max_parallel_workers_per_gather"] == "2"
    assert shown["max_wal_size"] == "8192MB"
