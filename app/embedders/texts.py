"""Makes any string one that an embedder can read."""


def readable(text: str) -> str:
    """Without NUL, at which C ends a text, and lone surrogates, which UTF-8 hasn't."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
