"""Where the API of a server is."""

import re
from ipaddress import ip_address

import httpx

# Of a version in a path: v1, v4, v1beta.
VERSION = re.compile(r"v\d+\w*")


def base(url: str) -> httpx.URL:
    """Where the API begins. `url` may end in a slash, and may lack the /v1.

    Raises:
        httpx.InvalidURL
    """
    given = httpx.URL(url)
    parts = [part for part in given.path.split("/") if part]
    if not any(VERSION.fullmatch(part) for part in parts):
        parts.append("v1")
    return given.copy_with(path="/" + "/".join(parts), fragment=None)


def below(begin: httpx.URL, path: str) -> httpx.URL:
    """The address of `path`, like embeddings. A query is kept, which some servers want."""
    return begin.copy_with(path=f"{begin.path}/{path}")


def is_here(url: httpx.URL) -> bool:
    """Whether it is this machine, to which no proxy leads."""
    host = url.host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
