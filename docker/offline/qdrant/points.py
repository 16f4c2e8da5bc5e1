"""Points of the REST API: writes into engine operations, engine records into JSON."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from errors import ApiError, BadRequest, Json, Unsupported, built, known, listed, one_of, require
from filters import filter_from
from queries import vector_from

Operation = edge.UpdateOperation
TARGET = ("points", "filter")


def upsert_from(body: Any) -> Operation:
    known(body, ("points", "batch", "update_filter", "update_mode"), "upsert")
    points = body.get("points")
    if points is None:
        points = unzipped(require(body, "batch", "upsert"))
    modes = {
        "upsert": edge.UpdateMode.Upsert,
        "insert_only": edge.UpdateMode.InsertOnly,
        "update_only": edge.UpdateMode.UpdateOnly,
    }
    return built(
        Operation.upsert_points,
        [struct_from(each) for each in listed(points, "points")],
        condition=filter_from(body.get("update_filter")),
        update_mode=one_of(body.get("update_mode") or "upsert", modes, "update_mode"),
    )


def unzipped(batch: Any) -> list[Json]:
    """The columns of a batch as the list of points that they mean."""
    known(batch, ("ids", "vectors", "payloads"), "batch")
    ids = listed(batch.get("ids"), "ids")
    vectors, payloads = batch.get("vectors"), batch.get("payloads") or [None] * len(ids)
    if isinstance(vectors, dict) and "indices" not in vectors:
        columns = {name: listed(column, f"vectors `{name}`") for name, column in vectors.items()}
        if any(len(column) != len(ids) for column in columns.values()):
            raise BadRequest("ids and vectors of a batch must have the same length")
        vectors = [{name: columns[name][i] for name in columns} for i in range(len(ids))]
    if len(listed(vectors, "vectors")) != len(ids) or len(payloads) != len(ids):
        raise BadRequest("ids, vectors and payloads of a batch must have the same length")
    return [
        {"id": id_, "vector": vector, "payload": payload}
        for id_, vector, payload in zip(ids, vectors, payloads, strict=True)
    ]


def struct_from(body: Any) -> edge.Point:
    known(body, ("id", "vector", "payload"), "point")
    payload = body.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise BadRequest("payload must be an object")
    vectors = vectors_from(require(body, "vector", "point"))
    return built(edge.Point, id_from(body), vectors, payload)


def vectors_from(body: Any) -> Any:
    """One unnamed vector, or vectors by name (an empty object is a point without vectors)."""
    if isinstance(body, dict):
        return {
            name: vector_from([vector] if is_single_number(vector) else vector)
            for name, vector in body.items()
        }
    return vector_from(body)


def is_single_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def id_from(body: Json) -> int | str:
    id_ = require(body, "id", "point")
    if isinstance(id_, bool) or not isinstance(id_, int | str):
        raise BadRequest(f"a point id is an unsigned number or a UUID, not {id_!r}")
    return id_


def update_vectors_from(body: Any) -> Operation:
    known(body, ("points", "update_filter"), "update of vectors")
    changed = []
    for each in listed(body.get("points"), "points"):
        known(each, ("id", "vector"), "point")
        vectors = vectors_from(require(each, "vector", "point"))
        changed.append(built(edge.PointVectors, id_from(each), vectors))
    condition = filter_from(body.get("update_filter"))
    return built(Operation.update_vectors, changed, condition=condition)


def delete_vectors_from(body: Any) -> Operation:
    known(body, (*TARGET, "vector"), "deletion of vectors")
    names = listed(body.get("vector"), "vector")
    by_ids, by_filter = Operation.delete_vectors, Operation.delete_vectors_by_filter
    return targeted(body, by_ids, by_filter, names)


def delete_from(body: Any) -> Operation:
    known(body, TARGET, "deletion")
    return targeted(body, Operation.delete_points, Operation.delete_points_by_filter)


def set_payload_from(body: Any) -> Operation:
    known(body, (*TARGET, "payload", "key"), "payload update")
    by_ids, by_filter = Operation.set_payload, Operation.set_payload_by_filter
    return targeted(body, by_ids, by_filter, payload_from(body), body.get("key"))


def overwrite_payload_from(body: Any) -> Operation:
    known(body, (*TARGET, "payload", "key"), "payload update")
    if body.get("key") is not None:
        raise Unsupported("`key` in an overwrite of payload")
    by_ids, by_filter = Operation.overwrite_payload, Operation.overwrite_payload_by_filter
    return targeted(body, by_ids, by_filter, payload_from(body))


def delete_payload_from(body: Any) -> Operation:
    known(body, (*TARGET, "keys"), "payload deletion")
    by_ids, by_filter = Operation.delete_payload, Operation.delete_payload_by_filter
    return targeted(body, by_ids, by_filter, listed(body.get("keys"), "keys"))


def clear_payload_from(body: Any) -> Operation:
    known(body, TARGET, "payload clearing")
    return targeted(body, Operation.clear_payload, Operation.clear_payload_by_filter)


def payload_from(body: Json) -> Json:
    payload = require(body, "payload", "payload update")
    if not isinstance(payload, dict):
        raise BadRequest("payload must be an object")
    return payload


def targeted(
    body: Json, by_ids: Callable[..., Operation], by_filter: Callable[..., Operation], *rest: Any
) -> Operation:
    if body.get("points") is not None:
        return built(by_ids, listed(body["points"], "points"), *rest)
    if body.get("filter") is None:
        raise BadRequest("either `points` or `filter` must say which points are meant")
    return built(by_filter, filter_from(body["filter"]), *rest)


# The names under which a batch of updates lists them.
UPDATES: dict[str, Callable[[Any], Operation]] = {
    "upsert": upsert_from,
    "delete": delete_from,
    "set_payload": set_payload_from,
    "overwrite_payload": overwrite_payload_from,
    "delete_payload": delete_payload_from,
    "clear_payload": clear_payload_from,
    "update_vectors": update_vectors_from,
    "delete_vectors": delete_vectors_from,
}


def batch_from(body: Any) -> list[Operation]:
    known(body, ("operations",), "batch of updates")
    operations = []
    for each in listed(body.get("operations"), "operations"):
        known(each, UPDATES, "operation")
        if len(each) != 1:
            raise BadRequest(f"an operation is one of {', '.join(UPDATES)}")
        ((kind, inner),) = each.items()
        operations.append(UPDATES[kind](inner))
    return operations


def id_json(id_: Any) -> int | str:
    return str(id_) if isinstance(id_, UUID) else id_


def vector_json(vector: Any) -> Any:
    if isinstance(vector, edge.SparseVector):
        return {"indices": vector.indices, "values": vector.values}
    if isinstance(vector, dict):
        return {name: vector_json(each) for name, each in vector.items()}
    return vector


def record_json(record: Any) -> Json:
    """`record` is a Record or a ScoredPoint, which the engine doesn't export."""
    found: Json = {"id": id_json(record.id)}
    if not isinstance(record, edge.Record):
        found |= {"version": record.version, "score": record.score}
    if record.payload is not None:
        found["payload"] = record.payload
    if record.vector is not None:
        found["vector"] = vector_json(record.vector)
    if record.order_value is not None:
        found["order_value"] = record.order_value
    return found


def missing(id_: int | str) -> ApiError:
    return ApiError(404, f"Not found: Point with id {id_} does not exists!")
