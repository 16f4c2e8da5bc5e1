"""Searches of the REST API, translated into the engine's requests."""

from typing import Any

import qdrant_edge as edge
from errors import ApiError, BadRequest, Json, Unsupported, built, known, listed, one_of, require
from filters import filter_from, without_ids

# The real server's default of reciprocal rank fusion.
RRF_K = 2
DEFAULT_LIMIT = 10
PREFETCH = ("prefetch", "query", "using", "filter", "params", "score_threshold", "limit")
QUERY = (*PREFETCH, "offset", "with_vector", "with_payload")
SEARCH = (
    "vector",
    "filter",
    "params",
    "limit",
    "offset",
    "with_payload",
    "with_vector",
    "score_threshold",
)
PARAMS = ("hnsw_ef", "exact", "quantization", "indexed_only", "acorn")


def query_from(body: Any, shard: edge.EdgeShard) -> edge.QueryRequest:
    known(body, QUERY, "query request")
    prefetches = prefetches_from(body.get("prefetch"), shard)
    if prefetches and body.get("query") is None:
        raise BadRequest("A query is needed to merge the prefetches")
    scoring, filter_ = scoring_from(body, shard)
    return built(
        edge.QueryRequest,
        limit_from(body),
        offset=or_default(body.get("offset"), 0),
        query=scoring,
        prefetches=prefetches,
        with_vector=with_vector_from(body.get("with_vector")),
        with_payload=with_payload_from(body.get("with_payload"), default=False),
        filter=filter_,
        score_threshold=body.get("score_threshold"),
        params=params_from(body.get("params")),
    )


def search_from(body: Any) -> edge.QueryRequest:
    """The older search endpoint: one vector, which a name may go with."""
    known(body, SEARCH, "search request")
    vector, using = require(body, "vector", "search"), None
    if isinstance(vector, dict):
        known(vector, ("name", "vector"), "vector")
        vector, using = require(vector, "vector", "vector"), vector.get("name")
    return built(
        edge.QueryRequest,
        limit_from(body),
        offset=or_default(body.get("offset"), 0),
        query=built(edge.Query.Nearest, vector_from(vector), using),
        with_vector=with_vector_from(body.get("with_vector")),
        with_payload=with_payload_from(body.get("with_payload"), default=False),
        filter=filter_from(body.get("filter")),
        score_threshold=body.get("score_threshold"),
        params=params_from(body.get("params")),
    )


def prefetches_from(body: Any, shard: edge.EdgeShard) -> list[edge.Prefetch]:
    if body is None:
        return []
    return [prefetch_from(each, shard) for each in (body if isinstance(body, list) else [body])]


def prefetch_from(body: Any, shard: edge.EdgeShard) -> edge.Prefetch:
    known(body, PREFETCH, "prefetch")
    inner = prefetches_from(body.get("prefetch"), shard)
    if inner and body.get("query") is None:
        raise BadRequest("A query is needed to merge the prefetches")
    scoring, filter_ = scoring_from(body, shard)
    return built(
        edge.Prefetch,
        limit_from(body),
        query=scoring,
        prefetches=inner,
        params=params_from(body.get("params")),
        filter=filter_,
        score_threshold=body.get("score_threshold"),
    )


def scoring_from(body: Json, shard: edge.EdgeShard) -> tuple[Any, edge.Filter | None]:
    """Returns the engine's query and filter; a query by point id leaves that point out."""
    query, using = body.get("query"), body.get("using")
    filter_ = filter_from(body.get("filter"))
    if query is None:
        return None, filter_
    if isinstance(query, dict) and "nearest" in query:
        query = known(query, ("nearest",), "query")["nearest"]
    if isinstance(query, dict) and "indices" not in query:
        return special_query(query, bool(body.get("prefetch"))), filter_
    if isinstance(query, int | str):
        vector = vector_of_point(shard, query, using)
        return built(edge.Query.Nearest, vector, using), without_ids(filter_, {query})
    return built(edge.Query.Nearest, vector_from(query), using), filter_


def special_query(query: Json, has_prefetch: bool) -> Any:
    if "order_by" in query:
        return order_by_from(known(query, ("order_by",), "query")["order_by"])
    if "sample" in query:
        return one_of(query["sample"], {"random": edge.Sample.Random}, "sample")
    if not {"fusion", "rrf"} & query.keys():
        raise Unsupported(f"query of the kind {', '.join(sorted(query))}")
    if not has_prefetch:
        raise BadRequest("a fusion needs prefetches to fuse")
    if "rrf" in query:
        rrf = known(known(query, ("rrf",), "query")["rrf"], ("k", "weights"), "rrf")
        return built(edge.Fusion.Rrf, or_default(rrf.get("k"), RRF_K), rrf.get("weights"))
    known(query, ("fusion",), "query")
    kinds = {"rrf": edge.Fusion.Rrf(RRF_K), "dbsf": edge.Fusion.Dbsf()}
    return one_of(query["fusion"], kinds, "fusion")


def vector_of_point(shard: edge.EdgeShard, point: int | str, using: str | None) -> Any:
    name = using or ""
    if isinstance(point, bool):
        raise BadRequest("a point id is a number or a UUID")
    found = built(shard.retrieve, [point], False, [name])
    if not found:
        raise ApiError(404, f"Not found: No point with id {point} found")
    vector: Any = found[0].vector
    vector = vector.get(name) if isinstance(vector, dict) else vector
    if vector is None or (isinstance(vector, list) and not vector):
        raise BadRequest(f"point {point} has no vector `{name}`")
    return vector


def vector_from(body: Any) -> Any:
    """Dense (list), many (list of lists) or sparse (indices and values)."""
    if isinstance(body, list):
        if not body:
            raise BadRequest("a vector must not be empty")
        return body
    if isinstance(body, dict) and ("text" in body or "image" in body or "object" in body):
        raise Unsupported("inference: send vectors, not documents")
    known(body, ("indices", "values"), "vector")
    indices, values = require(body, "indices", "vector"), require(body, "values", "vector")
    if len(listed(indices, "indices")) != len(listed(values, "values")):
        raise BadRequest("a sparse vector needs as many values as indices")
    if len(set(indices)) != len(indices):
        raise BadRequest("the indices of a sparse vector must be unique")
    return built(edge.SparseVector, indices, values)


def order_by_from(body: Any) -> edge.OrderBy | None:
    if body is None:
        return None
    body = {"key": body} if isinstance(body, str) else body
    known(body, ("key", "direction", "start_from"), "order_by")
    directions = {"asc": edge.Direction.Asc, "desc": edge.Direction.Desc}
    return built(
        edge.OrderBy,
        require(body, "key", "order_by"),
        one_of(body.get("direction") or "asc", directions, "direction"),
        body.get("start_from"),
    )


def params_from(body: Any) -> edge.SearchParams | None:
    if body is None:
        return None
    known(body, PARAMS, "params")
    quantization, acorn = body.get("quantization"), body.get("acorn")
    if quantization is not None:
        known(quantization, ("ignore", "rescore", "oversampling"), "quantization")
        quantization = built(edge.QuantizationSearchParams, **quantization)
    if acorn is not None:
        known(acorn, ("enable", "max_selectivity"), "acorn")
        acorn = built(edge.AcornSearchParams, **acorn)
    return built(
        edge.SearchParams,
        hnsw_ef=body.get("hnsw_ef"),
        exact=bool(body.get("exact")),
        quantization=quantization,
        indexed_only=bool(body.get("indexed_only")),
        acorn=acorn,
    )


def with_payload_from(body: Any, *, default: bool) -> Any:
    if body is None:
        return default
    if isinstance(body, bool | list):
        return body
    known(body, ("include", "exclude"), "with_payload")
    if body.get("include") is not None:
        return built(edge.PayloadSelector.Include, body["include"])
    return built(edge.PayloadSelector.Exclude, listed(body.get("exclude"), "exclude"))


def with_vector_from(body: Any) -> Any:
    if body is None:
        return False
    if isinstance(body, bool | list):
        return body
    raise BadRequest("with_vector must be true, false or a list of names")


def or_default(value: Any, default: int) -> Any:
    return default if value is None else value


def limit_from(body: Json) -> int:
    limit = or_default(body.get("limit"), DEFAULT_LIMIT)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise BadRequest("limit must be a whole number")
    if limit < 1:
        raise ApiError(422, "Validation error in JSON body: limit must be 1 or larger")
    return limit
