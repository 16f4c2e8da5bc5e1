"""Qdrant's client is imported without its models being built, in a process of its own."""

import subprocess
import sys

CODE = """
import app.main
from app.vectors.library import models

names = [name for name in dir(models) if isinstance(getattr(models, name), type)]
built = [name for name in names if getattr(models, name).__dict__.get("__pydantic_complete__")]
# The one that says how a field is indexed.
assert built == ["IntegerIndexParams"], built
match = models.MatchValue(value=7)
made = models.Filter(must=[models.FieldCondition(key="user_id", match=match)])
assert models.Filter.model_validate_json(made.model_dump_json()) == made

from pydantic import BaseModel

class Later(BaseModel):
    number: int

assert Later.__pydantic_complete__
assert "defer_build" not in Later.model_config
"""


def test_a_model_is_built_when_it_is_used_and_not_when_the_service_starts() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
