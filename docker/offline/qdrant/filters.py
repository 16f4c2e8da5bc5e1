"""Filters of the REST API, translated into the engine's."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge
from errors import BadRequest, Json, Unsupported, built, known, listed, require

CLAUSES = ("must", "should", "must_not", "min_should")
RANGE = ("gt", "gte", "lt", "lte")
MATCHES: dict[str, Callable[[Any], Any]] = {
    "value": edge.MatchValue,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
}
FIELD = (
    "key",
    "match",
    "range",
    "geo_bounding_box",
    "geo_radius",
    "geo_polygon",
    "values_count",
    "is_empty",
    "is_null",
)


def filter_from(body: Any) -> edge.Filter | None:
    if body is None:
        return None
    known(body, CLAUSES, "filter")
    return edge.Filter(
        must=conditions_from(body.get("must")),
        should=conditions_from(body.get("should")),
        must_not=conditions_from(body.get("must_not")),
        min_should=min_should_from(body.get("min_should")),
    )


def without_ids(filter_: edge.Filter | None, ids: set[Any]) -> edge.Filter:
    excluded = edge.Filter(must_not=[edge.HasIdCondition(ids)])
    return edge.Filter(must=[filter_, excluded]) if filter_ else excluded


def conditions_from(body: Any) -> list[Any] | None:
    if body is None:
        return None
    return [condition_from(each) for each in (body if isinstance(body, list) else [body])]


def min_should_from(body: Any) -> edge.MinShould | None:
    if body is None:
        return None
    known(body, ("conditions", "min_count"), "min_should")
    conditions = conditions_from(require(body, "conditions", "min_should"))
    return built(edge.MinShould, conditions, require(body, "min_count", "min_should"))


def condition_from(body: Any) -> Any:
    if not isinstance(body, dict):
        raise BadRequest("a condition must be an object")
    if "key" in body:
        return field_condition_from(body)
    for name, make in SPECIAL.items():
        if name in body:
            known(body, (name,), "condition")
            return make(body[name])
    if set(body) <= set(CLAUSES):
        return filter_from(body)
    raise Unsupported(f"filter condition with {', '.join(sorted(body))}")


def field_condition_from(body: Json) -> edge.FieldCondition:
    known(body, FIELD, "condition")
    if all(body.get(name) is None for name in FIELD[1:]):
        raise BadRequest(f"the condition on `{body['key']}` says nothing about it")
    return built(
        edge.FieldCondition,
        body["key"],
        match=match_from(body.get("match")),
        range=range_from(body.get("range")),
        geo_bounding_box=box_from(body.get("geo_bounding_box")),
        geo_radius=radius_from(body.get("geo_radius")),
        geo_polygon=polygon_from(body.get("geo_polygon")),
        values_count=values_count_from(body.get("values_count")),
        is_empty=body.get("is_empty"),
        is_null=body.get("is_null"),
    )


def match_from(body: Any) -> Any:
    if body is None:
        return None
    known(body, MATCHES, "match")
    if len(body) != 1:
        raise BadRequest(f"match needs exactly one of {', '.join(MATCHES)}")
    ((kind, value),) = body.items()
    return built(MATCHES[kind], value)


def range_from(body: Any) -> Any:
    if body is None:
        return None
    known(body, RANGE, "range")
    bounds = {name: value for name, value in body.items() if value is not None}
    if any(isinstance(value, str) for value in bounds.values()):
        return built(edge.RangeDateTime, **bounds)
    return built(edge.RangeFloat, **bounds)


def values_count_from(body: Any) -> edge.ValuesCount | None:
    if body is None:
        return None
    return built(edge.ValuesCount, **known(body, RANGE, "values_count"))


def point_from(body: Any) -> edge.GeoPoint:
    known(body, ("lon", "lat"), "geo point")
    return built(edge.GeoPoint, require(body, "lon", "point"), require(body, "lat", "point"))


def box_from(body: Any) -> edge.GeoBoundingBox | None:
    if body is None:
        return None
    known(body, ("top_left", "bottom_right"), "geo_bounding_box")
    return built(
        edge.GeoBoundingBox,
        point_from(body.get("top_left")),
        point_from(body.get("bottom_right")),
    )


def radius_from(body: Any) -> edge.GeoRadius | None:
    if body is None:
        return None
    known(body, ("center", "radius"), "geo_radius")
    radius = require(body, "radius", "geo_radius")
    return built(edge.GeoRadius, point_from(body.get("center")), radius)


def polygon_from(body: Any) -> edge.GeoPolygon | None:
    if body is None:
        return None
    known(body, ("exterior", "interiors"), "geo_polygon")
    exterior = line_from(body.get("exterior"))
    return built(edge.GeoPolygon, exterior, [line_from(x) for x in body.get("interiors") or []])


def line_from(body: Any) -> list[edge.GeoPoint]:
    known(body, ("points",), "geo line")
    return [point_from(each) for each in listed(body.get("points"), "points")]


def key_from(body: Any) -> str:
    return str(require(known(body, ("key",), "condition"), "key", "condition"))


def nested_from(body: Any) -> edge.NestedCondition:
    known(body, ("key", "filter"), "nested")
    inner = filter_from(require(body, "filter", "nested"))
    return built(edge.NestedCondition, require(body, "key", "nested"), inner)


SPECIAL: dict[str, Callable[[Any], Any]] = {
    "is_empty": lambda body: built(edge.IsEmptyCondition, key_from(body)),
    "is_null": lambda body: built(edge.IsNullCondition, key_from(body)),
    "has_id": lambda body: built(edge.HasIdCondition, set(listed(body, "has_id"))),
    "has_vector": lambda body: built(edge.HasVectorCondition, body),
    "nested": nested_from,
}
