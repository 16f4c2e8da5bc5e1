"""What this application knows of its own tables in files from before PostgreSQL."""

from app.db import registry
from app.ops.migrate.plans import Rules


def rules() -> Rules:
    """Files hold API keys in clear; the database has only what they are recognized by."""
    return Rules(
        derivations={("api_keys", "key"): (("key_hash", "sha256"), ("prefix", "prefix"))},
        remade={
            "alembic_version": "the schema's own number, which the target has by itself",
            "diagram_texts": "what diagrams are found by; the worker makes it anew",
        },
        defaults=_defaults(),
    )


def _defaults() -> dict[tuple[str, str], str]:
    """What the models put into a new row where the database wouldn't."""
    found = {}
    for table in registry.metadata.tables.values():
        for column in table.columns:
            default = column.default
            if column.nullable or column.server_default is not None or default is None:
                continue
            if default.is_scalar:
                found[table.name, column.name] = _literal(default.arg)  # type: ignore[attr-defined]
    return found


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    doubled = str(value).replace("'", "''")
    return f"'{doubled}'"
