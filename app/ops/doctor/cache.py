"""How Redis keeps what it is given: sessions must outlive a restart and a full memory."""

from typing import Any

from redis import Redis, RedisError

from app.ops.doctor import findings
from app.ops.doctor.findings import Finding

# Parts of maxmemory.
WARN_ABOVE = 0.8
FAIL_ABOVE = 0.95
MB = 1024 * 1024


def examine(redis: Redis) -> list[Finding]:
    try:
        memory = redis.info("memory")
        persistence = redis.info("persistence")
    except RedisError as error:
        return [findings.failure("redis-policy", f"can't be asked: {error}", "see `redis`")]
    return [policy(memory), persisted(persistence), fill(memory)]


def policy(memory: dict[str, Any]) -> Finding:
    found = memory.get("maxmemory_policy", "unknown")
    seen = f"maxmemory-policy is {found}"
    if found == "noeviction":
        return findings.ok("redis-policy", seen)
    return findings.warning(
        "redis-policy",
        f"{seen}, so a full Redis logs people out and loses jobs without a word",
        "set `maxmemory-policy noeviction` in its configuration",
    )


def persisted(persistence: dict[str, Any]) -> Finding:
    if not persistence.get("aof_enabled"):
        return findings.warning(
            "redis-aof",
            "AOF is off, so a restart logs everybody out",
            "set `appendonly yes` in its configuration",
        )
    if persistence.get("aof_last_write_status", "ok") != "ok":
        return findings.failure(
            "redis-aof",
            "the last write to its file failed",
            "see its disk: `docker compose exec redis df -h /data`; free some space",
        )
    return findings.ok("redis-aof", "every write goes to a file")


def fill(memory: dict[str, Any]) -> Finding:
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    if not limit:
        return findings.warning(
            "redis-memory",
            f"{used / MB:.0f} MB used, without a limit",
            "set `maxmemory` in its configuration (REDIS_MAXMEMORY in .env)",
        )
    seen = f"{used / MB:.0f} of {limit / MB:.0f} MB used"
    fix = "raise REDIS_MAXMEMORY in .env (and REDIS_MEMORY_MB), then `make up`"
    if used > FAIL_ABOVE * limit:
        return findings.failure("redis-memory", f"{seen}: writes are refused soon", fix)
    if used > WARN_ABOVE * limit:
        return findings.warning("redis-memory", seen, fix)
    return findings.ok("redis-memory", seen)
