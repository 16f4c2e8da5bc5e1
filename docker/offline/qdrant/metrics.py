"""Metrics by the names that the real server has for how much there is, as Prometheus reads them."""

from collections.abc import Iterator

from store import Store


def text(store: Store, version: str) -> str:
    return "".join(f"{line}\n" for line in lines(store, version))


def lines(store: Store, version: str) -> Iterator[str]:
    collections = dict(store.collections)
    yield from head("app_info", "The server.")
    yield f'app_info{{name="qdrant",version="{version}"}} 1'
    yield from head("collections_total", "Collections.")
    yield f"collections_total {len(collections)}"
    if not collections:
        return
    yield from head("collection_points", "Points of each collection.")
    for name, collection in collections.items():
        points = collection.info()["points_count"]
        yield f'collection_points{{id="{name}"}} {points}'


def head(name: str, says: str) -> Iterator[str]:
    yield f"# HELP {name} {says}"
    yield f"# TYPE {name} gauge"
