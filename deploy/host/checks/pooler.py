"""The pooler of production: what it lets in and makes, against what both of its sides have."""

from __future__ import annotations

from typing import Any, Mapping

from host.checks.finding import Finding, failure, ok

# For psql, backups, migrations and commands, which go past it.
SPARE = 20


def examine(config: Mapping[str, Any]) -> list[Finding]:
    """
    Args:
        config: the stack as Compose reads it; nothing is found in one without a pooler.
    """
    services = config.get("services", {})
    if "pgbouncer" not in services:
        return []
    pooler, app = (services[name].get("environment", {}) for name in ("pgbouncer", "app"))
    clients = _number(pooler, "PGBOUNCER_CLIENTS", 500)
    web = _number(app, "WEB_WORKERS", 2) * (_number(app, "WEB_THREADS", 10) + 1)
    worker = _number(app, "WORKER_THREADS", 2) + 2 * _number(app, "INGESTION_THREADS", 1) + 1
    made = _number(pooler, "PGBOUNCER_POOL_SIZE", 20) + _number(pooler, "PGBOUNCER_RESERVE", 5)
    postgres = services.get("postgres", {}).get("environment", {})
    allowed = _number(postgres, "POSTGRES_MAX_CONNECTIONS", 100)
    seen = (
        f"lets in {clients}, of which app and worker may need {web + worker}; makes {made}, and "
        f"{SPARE} are spare, of {allowed} that the database allows"
    )
    if web + worker > clients:
        return [
            failure(
                "pooler", seen, "raise PGBOUNCER_CLIENTS in .env, then `deploy/mindgraph start`"
            )
        ]
    if made + SPARE > allowed:
        fix = "raise POSTGRES_MAX_CONNECTIONS or lower PGBOUNCER_POOL_SIZE in .env"
        return [failure("pooler", seen, f"{fix}, then `deploy/mindgraph start`")]
    return [ok("pooler", seen)]


def _number(values: Mapping[str, Any], name: str, default: int) -> int:
    return int(values.get(name) or default)
