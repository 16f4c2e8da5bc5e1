"""The old database in tests/data, whose values are all invented."""

import lzma
from pathlib import Path

import bcrypt

from tests import sources
from tests.people import Person
from tests.places import CHECKOUT

PACKED = CHECKOUT / "tests" / "data" / "mindgraph-sample.db.xz"

# People of the file, and a key that somebody holds.
ROOT = Person(1, "16100000037", "周杰", None)
TEACHER = Person(2, "enterprise@system.com", "Enterprise User", None)
PASSWORD = "an old password 旧密码"
KEY = "mg_1629e9b7ce0894fce62a3a514b3728eaa4634502120"
BEARER = {"Authorization": f"Bearer {KEY}"}

DIAGRAM = (
    "INSERT INTO diagrams (id, user_id, title, diagram_type, language, spec, is_deleted, is_pinned,"
    " created_at, updated_at) VALUES ('{}', {}, {}, 'mind_map', '{}', '{}', 0, 0,"
    " '2025-01-01 00:00:00', '2025-01-01 00:00:00')"
)
LONG = "printf('%.*c', 201, 'x')"
# Years of dirt: each row with what PostgreSQL has against it.
DIRT = (
    DIAGRAM.format("too-long", 1, LONG, "zh", '{"topic": "a"}'),
    DIAGRAM.format("orphan", 99_999, "'of nobody'", "zh", '{"topic": "b"}'),
    DIAGRAM.format("bad-json", 1, "'half a spec'", "zh", '{"topic": '),
    DIAGRAM.format("left-alone", 1, LONG, "zh", '{"topic": "c"}'),
    "DROP INDEX ix_users_phone",
    "INSERT INTO users (id, phone, password_hash, name, role, created_at)"
    " SELECT 5000, phone, 'x', '重复', 'user', created_at FROM users WHERE id = 2",
    DIAGRAM.format("of-duplicate", 5000, "'waits for its user'", "zh", '{"topic": "d"}'),
    "INSERT INTO api_keys (id, key, name, usage_count, is_active, created_at)"
    " VALUES (50, 'mg_50', 'negative', -1, 1, '2025-01-01 00:00:00')",
)


def unpack(file: Path) -> Path:
    """The whole file, in which the teacher has a password that is known."""
    file.write_bytes(lzma.decompress(PACKED.read_bytes()))
    known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    return sources.make(file, f"UPDATE users SET password_hash='{known}' WHERE id={TEACHER.id}")
