"""The REST endpoints: each reads a request, asks one collection, returns what `result` holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import points
import qdrant_edge as edge
import queries
import snapshots
from collection import Collection
from errors import BadRequest, Json, Unsupported, built, known, listed, require
from filters import filter_from
from store import Store


@dataclass(frozen=True)
class Ask:
    """A request: values from its path, the parsed body, and whether the client waits."""

    store: Store
    path: dict[str, str]
    body: Any
    wait: bool

    def about(self, body: Any) -> "Ask":
        return replace(self, body=body)


Handler = Callable[[Ask], Any]
NAME = "/collections/{name}"
POINTS = NAME + "/points"


def list_collections(ask: Ask) -> Any:
    return {"collections": [{"name": name} for name in list(ask.store.collections)]}


def create_collection(ask: Ask) -> Any:
    return ask.store.create(ask.path["name"], ask.body or {})


def show_collection(ask: Ask) -> Any:
    return ask.store.require(ask.path["name"]).info()


def delete_collection(ask: Ask) -> Any:
    return ask.store.delete(ask.path["name"])


def collection_exists(ask: Ask) -> Any:
    return {"exists": ask.store.exists(ask.path["name"])}


def change_aliases(ask: Ask) -> Any:
    return ask.store.change_aliases(ask.body)


def list_aliases(ask: Ask) -> Any:
    if "name" in ask.path:
        ask.store.require(ask.path["name"])
    return {
        "aliases": [
            {"alias_name": alias, "collection_name": target}
            for alias, target in ask.store.aliases.items()
            if ask.path.get("name") in (None, target)
        ]
    }


def create_index(ask: Ask) -> Any:
    known(ask.body, ("field_name", "field_schema"), "index")
    if ask.body.get("field_schema") is None:
        raise Unsupported("index without `field_schema`")
    collection = ask.store.require(ask.path["name"])
    done = collection.index(require(ask.body, "field_name", "index"), ask.body["field_schema"])
    return written(ask, collection, done)


def delete_index(ask: Ask) -> Any:
    collection = ask.store.require(ask.path["name"])
    return written(ask, collection, collection.unindex(ask.path["field"]))


def update(translate: Callable[[Any], edge.UpdateOperation]) -> Handler:
    def handler(ask: Ask) -> Any:
        collection = ask.store.require(ask.path["name"])
        return written(ask, collection, collection.apply([translate(ask.body)]))

    return handler


def update_batch(ask: Ask) -> Any:
    collection = ask.store.require(ask.path["name"])
    return [
        written(ask, collection, collection.apply([operation]))
        for operation in points.batch_from(ask.body)
    ]


def written(ask: Ask, collection: Collection, operation: int) -> Json:
    ask.store.note_write(collection)
    return {"operation_id": operation, "status": "completed" if ask.wait else "acknowledged"}


def retrieve(ask: Ask) -> Any:
    known(ask.body, ("ids", "with_payload", "with_vector"), "retrieval")
    found = built(
        ask.store.require(ask.path["name"]).shard.retrieve,
        listed(ask.body.get("ids"), "ids"),
        queries.with_payload_from(ask.body.get("with_payload"), default=True),
        queries.with_vector_from(ask.body.get("with_vector")),
    )
    return [points.record_json(record) for record in found]


def show_point(ask: Ask) -> Any:
    id_ = int(ask.path["id"]) if ask.path["id"].isdecimal() else ask.path["id"]
    found = built(ask.store.require(ask.path["name"]).shard.retrieve, [id_], True, True)
    if not found:
        raise points.missing(id_)
    return points.record_json(found[0])


def scroll(ask: Ask) -> Any:
    fields = ("offset", "limit", "filter", "with_payload", "with_vector", "order_by")
    known(ask.body, fields, "scroll")
    order_by = queries.order_by_from(ask.body.get("order_by"))
    if order_by is not None and ask.body.get("offset") is not None:
        raise BadRequest("Cannot use an `offset` when using `order_by`")
    request = built(
        edge.ScrollRequest,
        offset=ask.body.get("offset"),
        limit=queries.limit_from(ask.body),
        filter=filter_from(ask.body.get("filter")),
        with_payload=queries.with_payload_from(ask.body.get("with_payload"), default=True),
        with_vector=queries.with_vector_from(ask.body.get("with_vector")),
        order_by=order_by,
    )
    found, following = ask.store.require(ask.path["name"]).shard.scroll(request)
    return {
        "points": [points.record_json(record) for record in found],
        "next_page_offset": None if following is None else points.id_json(following),
    }


def count(ask: Ask) -> Any:
    known(ask.body, ("filter", "exact"), "count")
    request = edge.CountRequest(exact=True, filter=filter_from(ask.body.get("filter")))
    return {"count": ask.store.require(ask.path["name"]).shard.count(request)}


def facet(ask: Ask) -> Any:
    known(ask.body, ("key", "limit", "filter", "exact"), "facet")
    request = built(
        edge.FacetRequest,
        require(ask.body, "key", "facet"),
        queries.limit_from(ask.body),
        bool(ask.body.get("exact")),
        filter_from(ask.body.get("filter")),
    )
    hits = ask.store.require(ask.path["name"]).shard.facet(request).hits
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits]}


def query(ask: Ask) -> Any:
    shard = ask.store.require(ask.path["name"]).shard
    found = shard.query(queries.query_from(ask.body, shard))
    return {"points": [points.record_json(record) for record in found]}


def query_batch(ask: Ask) -> Any:
    known(ask.body, ("searches",), "batch of queries")
    return [query(ask.about(each)) for each in listed(ask.body.get("searches"), "searches")]


def search(ask: Ask) -> Any:
    found = ask.store.require(ask.path["name"]).shard.query(queries.search_from(ask.body))
    return [points.record_json(record) for record in found]


def search_batch(ask: Ask) -> Any:
    known(ask.body, ("searches",), "batch of searches")
    return [search(ask.about(each)) for each in listed(ask.body.get("searches"), "searches")]


def make_snapshot(ask: Ask) -> Any:
    return ask.store.snapshots.make(ask.store.require(ask.path["name"]))


def list_snapshots(ask: Ask) -> Any:
    return ask.store.snapshots.list_(ask.store.require(ask.path["name"]))


def read_snapshot(ask: Ask) -> Any:
    """A path: the answer is the file."""
    collection = ask.store.require(ask.path["name"])
    return ask.store.snapshots.require(collection, ask.path["snapshot"])


def delete_snapshot(ask: Ask) -> Any:
    collection = ask.store.require(ask.path["name"])
    return ask.store.snapshots.remove(collection, ask.path["snapshot"])


def recover_snapshot(ask: Ask) -> Any:
    return ask.store.recover(ask.path["name"], snapshots.location_from(ask.body))


def standalone(_: Ask) -> Any:
    return {"status": "disabled"}


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/collections", list_collections),
    ("POST", "/collections/aliases", change_aliases),
    ("GET", "/aliases", list_aliases),
    ("GET", "/cluster", standalone),
    ("PUT", NAME, create_collection),
    ("GET", NAME, show_collection),
    ("DELETE", NAME, delete_collection),
    ("GET", NAME + "/exists", collection_exists),
    ("GET", NAME + "/aliases", list_aliases),
    ("PUT", NAME + "/index", create_index),
    ("DELETE", NAME + "/index/{field:path}", delete_index),
    ("POST", NAME + "/facet", facet),
    ("POST", NAME + "/snapshots", make_snapshot),
    ("GET", NAME + "/snapshots", list_snapshots),
    ("PUT", NAME + "/snapshots/recover", recover_snapshot),
    ("GET", NAME + "/snapshots/{snapshot}", read_snapshot),
    ("DELETE", NAME + "/snapshots/{snapshot}", delete_snapshot),
    ("POST", POINTS, retrieve),
    ("PUT", POINTS, update(points.upsert_from)),
    ("POST", POINTS + "/batch", update_batch),
    ("POST", POINTS + "/delete", update(points.delete_from)),
    ("POST", POINTS + "/payload", update(points.set_payload_from)),
    ("PUT", POINTS + "/payload", update(points.overwrite_payload_from)),
    ("POST", POINTS + "/payload/delete", update(points.delete_payload_from)),
    ("POST", POINTS + "/payload/clear", update(points.clear_payload_from)),
    ("PUT", POINTS + "/vectors", update(points.update_vectors_from)),
    ("POST", POINTS + "/vectors/delete", update(points.delete_vectors_from)),
    ("POST", POINTS + "/scroll", scroll),
    ("POST", POINTS + "/count", count),
    ("POST", POINTS + "/query", query),
    ("POST", POINTS + "/query/batch", query_batch),
    ("POST", POINTS + "/search", search),
    ("POST", POINTS + "/search/batch", search_batch),
    ("GET", POINTS + "/{id}", show_point),
]
