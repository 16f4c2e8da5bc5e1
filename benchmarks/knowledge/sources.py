"""Which files of which packages are in the corpus."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["en", "zh"]


class Source(NamedTuple):
    package: str
    # Their names in the corpus begin with it.
    prefix: str
    language: Language
    folder: str
    # Patterns of file names in the folder; compressed files are named without `.gz`.
    files: tuple[str, ...]
    without: tuple[str, ...] = ()


# Of a translation, pages with less of it are for the most part still in English.
LEAST_CHINESE = 0.25
DOCUMENTS = "usr/share/doc"

POSTGRESQL = """
    app-pg-isready app-pgbasebackup app-pgchecksums app-pgresetwal app-pgrestore app-pgrewind
    auth-* backup-dump backup-file client-auth* continuous-archiving datatype-binary
    datatype-character datatype-enum datatype-json datatype-money
    datatype-numeric datatype-uuid ddl-* errcodes-* explicit-locking functions-conditional
    functions-sequence functions-window high-av* indexes-* logical-rep* mvcc-* pgprewarm
    pgrowlocks pgstatstatements pgtrgm populate queries-limit queries-union queries-with role-*
    routine-* runtime-config-autovacuum runtime-config-error-handling runtime-config-locks
    runtime-config-re* runtime-config-statistics runtime-config-wal sql-altersystem sql-analyze
    sql-cluster sql-copy sql-createindex sql-declare sql-discard sql-drop-owned sql-explain
    sql-listen sql-lock sql-merge sql-notify sql-prepare* sql-reassign-owned sql-refresh*
    sql-reindex sql-savepoint sql-truncate sql-vacuum storage-hot storage-toast
    textsearch-indexes textsearch-limitations textsearch-tables transaction-iso using-explain
    view-pg-locks wal-* warm-*
"""
PYTHON = """
    faq/design faq/library faq/programming howto/sorting howto/sockets library/asyncio-dev
    library/asyncio-exceptions library/asyncio-queue library/asyncio-runner library/atexit
    library/bisect library/copy library/faulthandler library/fnmatch library/gc library/getpass
    library/glob library/graphlib library/heapq library/hmac library/queue library/sched
    library/secrets library/shelve library/signal library/tempfile library/textwrap library/timeit
    library/tomllib library/tracemalloc library/uuid tutorial/errors tutorial/floatingpoint
    tutorial/venv
"""
GIT = """
    git-archive git-bisect git-blame git-cherry-pick git-clean git-describe git-gc git-mv git-reflog
    git-rerere git-reset git-restore git-revert git-rm git-stash git-switch git-worktree
    gitcredentials giteveryday gitfaq gitignore gitrevisions
"""
DOCKER = """
    attach commit cp diff exec export history image_prune import kill load login logs
    network_connect network_prune node_demote node_rm node_update pause port pull push rm rmi save
    secret_* service_logs service_rollback service_scale stop swarm_join-token swarm_leave
    swarm_unlock* system_df system_prune tag trust_revoke update volume_*
"""
COMMANDS = """
    at chattr chown cp cut date dd df du find grep gzip head journalctl kill killall ln ls mktemp mv
    nice nohup rm sed sort split stdbuf systemd-[a-p]* tar tee timedatectl timeout touch uniq wc
    xargs
"""
FORMATS = """
    hostname inittab journald.conf localtime logind.conf machine-id modules-load.d nsswitch
    os-release sysctl.d utmp
"""
SERVICES = """
    badblocks cron exportfs fdisk fsck ifconfig iptables mkswap netstat ping route shutdown swapon
    umount vmstat xinetd
"""


def named(names: str, pattern: str) -> tuple[str, ...]:
    return tuple(pattern.format(name) for name in names.split())


SOURCES = (
    Source(
        "postgresql-doc-15",
        "postgresql",
        "en",
        f"{DOCUMENTS}/postgresql-doc-15/html",
        named(POSTGRESQL, "{}.html"),
    ),
    Source(
        "python3.11-doc",
        "python",
        "en",
        f"{DOCUMENTS}/python3.11/html",
        named(PYTHON, "{}.html"),
    ),
    Source("git-doc", "git", "en", f"{DOCUMENTS}/git-doc", named(GIT, "{}.html")),
    Source("debian-policy", "debian", "en", f"{DOCUMENTS}/debian-policy", ("policy.pdf",)),
    Source(
        "developers-reference",
        "debian",
        "en",
        "usr/share/developers-reference",
        ("developers-reference.pdf",),
    ),
    Source(
        "docker-doc",
        "docker",
        "en",
        f"{DOCUMENTS}/docker-doc/reference/commandline",
        named(DOCKER, "{}.md"),
    ),
    Source(
        "debian-reference-zh-cn",
        "debian-zh",
        "zh",
        "usr/share/debian-reference",
        ("debian-reference.zh-cn.pdf",),
    ),
    Source(
        "maint-guide-zh-cn",
        "debian-zh",
        "zh",
        f"{DOCUMENTS}/maint-guide-zh-cn",
        ("maint-guide.zh-cn.pdf",),
    ),
    Source("debian-faq-zh-cn", "faq-zh", "zh", f"{DOCUMENTS}/debian/FAQ/zh-cn", ("*.html",)),
    Source(
        "debian-handbook",
        "handbook-zh",
        "zh",
        f"{DOCUMENTS}/debian-handbook/html/zh-CN",
        ("*.html",),
        ("index.html",),
    ),
    Source(
        "libreoffice-help-zh-cn",
        "libreoffice-zh",
        "zh",
        "usr/share/libreoffice/help/zh-CN/text/scalc/guide",
        ("*.html",),
    ),
    Source(
        "manpages-zh",
        "man-zh",
        "zh",
        "usr/share/man/zh_CN",
        (
            *named(COMMANDS, "man1/{}.1"),
            *named(FORMATS, "man5/{}.5"),
            *named(SERVICES, "man8/{}.8"),
        ),
    ),
)
