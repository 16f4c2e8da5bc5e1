"""Field types that payloads share."""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character NUL")
    return value


# PostgreSQL can't store NUL in text.
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_without_nul)]
