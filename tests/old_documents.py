"""The old sample with years of dirt in its documents and searches, and what belongs to it."""

from pathlib import Path

from tests import samples, sources

# Of the sample: who has the space 5.
OWNER = 108
SPACE = 5
LONG = "长" * 60
GONE_SPACE, GONE_USER, EMPTY, DIRTY, SAME, PICTURE = 901, 902, 903, 904, 905, 906
OVERLAPPING = 1

DOCUMENT = (
    "INSERT INTO knowledge_documents (id, space_id, file_name, file_path, file_type, file_size,"
    " status, processing_progress_percent, chunk_count, version, tags, category, custom_fields,"
    " doc_metadata, created_at, updated_at) VALUES ({id}, {space}, '{name}', '{path}',"
    " 'text/plain', 1, 'completed', 100, 1, 1, {tags}, '试卷', {fields}, {metadata}, {created},"
    " '2026-01-01')"
)
CHUNK = (
    "INSERT INTO document_chunks (document_id, chunk_index, text, start_char, end_char, created_at)"
    " VALUES ({}, {}, {}, {}, {}, '2026-01-01')"
)
WITHOUT_RULES = (
    "CREATE TABLE new_queries AS SELECT * FROM knowledge_queries",
    "DROP TABLE knowledge_queries",
    "ALTER TABLE new_queries RENAME TO knowledge_queries",
)
QUERY = (
    "INSERT INTO knowledge_queries (id, user_id, query, method, total_ms, created_at)"
    " VALUES ({}, {}, {}, {}, {}, {})"
)
FEEDBACK = (
    "INSERT INTO query_feedback (id, query_id, user_id, space_id, feedback_type, created_at)"
    " VALUES ({}, {}, {}, 5, '{}', '{}')"
)


def document(id_: int, *, space: int = SPACE, path: str = "a/b", **columns: str) -> str:
    values = {
        "tags": "NULL",
        "fields": "NULL",
        "metadata": "NULL",
        "created": "'2025-03-04 05:06:07'",
        "name": f"name {id_}.txt",
    }
    return DOCUMENT.format(id=id_, space=space, path=path, **(values | columns))


DIRT = (
    document(GONE_SPACE, space=99_999),
    CHUNK.format(GONE_SPACE, 0, "'of nobody'", 0, 9),
    f"INSERT INTO knowledge_spaces (id, user_id, created_at, updated_at)"
    f" VALUES ({GONE_USER}, 99999, '2026-01-01', '2026-01-01')",
    document(GONE_USER, space=GONE_USER),
    CHUNK.format(GONE_USER, 0, "'of nobody'", 0, 9),
    document(EMPTY),
    document(
        DIRTY,
        path="../../etc/passwd",
        tags="'[\"a\", '",
        fields="'[1]'",
        metadata=f"""'{{"pages": 3, "nan": NaN, "list": [1], "{LONG}": 1, "half": "\\ud83d"}}'""",
        created="'yesterday'",
    ),
    # Text in a column of numbers, so that all of them are texts in PostgreSQL.
    CHUNK.format(DIRTY, "'zero'", "'the only passage'", "'x'", "'y'"),
    document(SAME),
    CHUNK.format(SAME, 0, "'the only passage'", 0, 16),
    document(PICTURE, path="storage/5/906_picture.png", name="picture.png"),
    CHUNK.format(99_998, 0, "'of a document that is gone'", 0, 3),
    f"DELETE FROM document_chunks WHERE document_id = {OVERLAPPING}",
    CHUNK.format(OVERLAPPING, 1, "'four five six'", 14, 27),
    CHUNK.format(OVERLAPPING, 0, "'one two three four'", 0, 18),
    CHUNK.format(OVERLAPPING, 2, "'much later'", 300, 310),
    *WITHOUT_RULES,
    QUERY.format(9001, 99_999, "'of nobody'", "'hybrid'", 1, "'2026-01-01 00:00:00'"),
    QUERY.format(9002, OWNER, "'怎样？'", "'guess'", 1, "'2026-01-01 00:00:00'"),
    QUERY.format(9003, OWNER, "NULL", "'hybrid'", 1, "'2026-01-01 00:00:00'"),
    QUERY.format(9004, OWNER, "'when?'", "'hybrid'", 1, "'soon'"),
    QUERY.format(9005, OWNER, "'fine'", "'keyword'", "NULL", "'2026-01-01 00:00:00'"),
    QUERY.format(9006, "NULL", "'of NULL'", "'keyword'", "NULL", "NULL"),
    FEEDBACK.format(901, 9005, OWNER, "negative", "2026-01-02 00:00:00"),
    FEEDBACK.format(902, 9005, OWNER, "positive", "2026-01-03 00:00:00"),
    FEEDBACK.format(903, 9005, OWNER, "neutral", "2026-01-04 00:00:00"),
    FEEDBACK.format(904, 9005, 1, "negative", "2026-01-05 00:00:00"),
)


def unpack(file: Path) -> Path:
    """The sample and the dirt."""
    return sources.make(samples.unpack(file), *DIRT)


def files(folder: Path) -> Path:
    """What was copied of the old program's files: two that can be read, and two that can't."""
    found = {
        # The path of document 15, and the end of that of document 23.
        "storage/knowledge_documents/72/15_光合作用-1.txt": "植物的光合作用".encode(),
        "28/23_光合作用-1.txt": "光合作用 again".encode(),
        # Of a document with passages, and one without.
        "53/24_二次函数-2.txt": b"\x89PNG\r\n\x1a\n\0\0\0",
        "storage/5/906_picture.png": b"\x89PNG\r\n\x1a\n\0\0\0",
        # Where an evil path would lead.
        "../etc/passwd": b"root",
    }
    folder.mkdir(parents=True)
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
