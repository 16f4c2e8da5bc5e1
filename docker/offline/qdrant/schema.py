"""Collections of the REST API: their settings into the engine's, and back as clients read them."""

from typing import Any

import qdrant_edge as edge
from errors import BadRequest, Json, Unsupported, built, known, one_of, require

CREATE = (
    "vectors",
    "sparse_vectors",
    "shard_number",
    "replication_factor",
    "write_consistency_factor",
    "on_disk_payload",
    "hnsw_config",
    "wal_config",
    "optimizers_config",
    "quantization_config",
    "sharding_method",
    "metadata",
)
HNSW = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10000,
    "max_indexing_threads": 0,
    "on_disk": None,
    "payload_m": None,
    "inline_storage": None,
}
OPTIMIZERS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    # No graph of vectors: the engine lets nothing else run in this process while it builds one,
    # which takes minutes for tens of thousands. Comparing with each of a tenant's vectors, which
    # the payload index finds, takes some 20 ms for 50,000 of them.
    "indexing_threshold": 0,
}
# Tuning without an effect on answers, which is stored and shown but means nothing to one shard.
IDLE_OPTIMIZERS = {
    "memmap_threshold": None,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}
DATATYPES = {
    "float32": edge.VectorStorageDatatype.Float32,
    "float16": edge.VectorStorageDatatype.Float16,
    "uint8": edge.VectorStorageDatatype.Uint8,
}
PLACEMENT = ("on_disk", "enable_hnsw")
INDEXES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "keyword": (edge.KeywordIndexParams, ("is_tenant", "prefix", *PLACEMENT)),
    "integer": (edge.IntegerIndexParams, ("lookup", "range", "is_principal", *PLACEMENT)),
    "float": (edge.FloatIndexParams, ("is_principal", *PLACEMENT)),
    "geo": (edge.GeoIndexParams, PLACEMENT),
    "bool": (edge.BoolIndexParams, PLACEMENT),
    "datetime": (edge.DatetimeIndexParams, ("is_principal", *PLACEMENT)),
    "uuid": (edge.UuidIndexParams, ("is_tenant", *PLACEMENT)),
    "text": (
        edge.TextIndexParams,
        (
            "tokenizer",
            "min_token_len",
            "max_token_len",
            "lowercase",
            "ascii_folding",
            "phrase_matching",
            *PLACEMENT,
        ),
    ),
}
TOKENIZERS = {
    "prefix": edge.TokenizerType.Prefix,
    "whitespace": edge.TokenizerType.Whitespace,
    "word": edge.TokenizerType.Word,
    "multilingual": edge.TokenizerType.Multilingual,
}


def config_from(body: Json) -> edge.EdgeConfig:
    known(body, CREATE, "collection settings")
    if body.get("sharding_method") not in (None, "auto"):
        raise Unsupported("custom sharding")
    vectors, sparse = body.get("vectors"), body.get("sparse_vectors")
    if not vectors and not sparse:
        raise Unsupported("collection without vectors")
    if vectors is not None and not isinstance(vectors, dict):
        raise BadRequest("vectors must be an object")
    return built(
        edge.EdgeConfig,
        vectors=dense_from(vectors or {}),
        sparse_vectors={name: sparse_from(each) for name, each in (sparse or {}).items()},
        on_disk_payload=body.get("on_disk_payload"),
        hnsw_config=hnsw_from(body.get("hnsw_config")),
        quantization_config=quantization_from(body.get("quantization_config")),
        optimizers=optimizers_from(body.get("optimizers_config")),
    )


def dense_from(vectors: Json) -> Any:
    if "size" in vectors and not isinstance(vectors["size"], dict):
        return vector_params_from(vectors)
    return {name: vector_params_from(each) for name, each in vectors.items()}


def vector_params_from(body: Any) -> edge.EdgeVectorParams:
    fields = "size distance on_disk datatype multivector_config hnsw_config quantization_config"
    known(body, fields.split(), "vector settings")
    many, datatype = body.get("multivector_config"), body.get("datatype")
    if many is not None:
        known(many, ("comparator",), "multivector_config")
        comparators = {"max_sim": edge.MultiVectorComparator.MaxSim}
        many = edge.MultiVectorConfig(one_of(many.get("comparator"), comparators, "comparator"))
    return built(
        edge.EdgeVectorParams,
        size=require(body, "size", "vector settings"),
        distance=one_of(body.get("distance"), DISTANCES, "distance"),
        on_disk=body.get("on_disk"),
        multivector_config=many,
        datatype=None if datatype is None else one_of(datatype, DATATYPES, "datatype"),
        quantization_config=quantization_from(body.get("quantization_config")),
        hnsw_config=hnsw_from(body.get("hnsw_config")),
    )


def sparse_from(body: Any) -> edge.EdgeSparseVectorParams:
    known(body or {}, ("index", "modifier"), "sparse vector settings")
    index = known(
        (body or {}).get("index") or {}, ("full_scan_threshold", "on_disk", "datatype"), "index"
    )
    modifiers = {"none": None, "idf": edge.Modifier.Idf}
    datatype = index.get("datatype")
    return built(
        edge.EdgeSparseVectorParams,
        full_scan_threshold=index.get("full_scan_threshold"),
        on_disk=index.get("on_disk"),
        modifier=one_of((body or {}).get("modifier") or "none", modifiers, "modifier"),
        datatype=None if datatype is None else one_of(datatype, DATATYPES, "datatype"),
    )


def hnsw_from(body: Any) -> edge.HnswIndexConfig | None:
    if body is None:
        return None
    known(body, HNSW, "hnsw_config")
    return built(edge.HnswIndexConfig, **overlaid(HNSW, body))


def optimizers_from(body: Any) -> edge.EdgeOptimizersConfig:
    known(body or {}, (*OPTIMIZERS, *IDLE_OPTIMIZERS), "optimizers_config")
    wanted = overlaid(OPTIMIZERS, body or {})
    return built(edge.EdgeOptimizersConfig, **{name: wanted[name] for name in OPTIMIZERS})


def quantization_from(body: Any) -> edge.ScalarQuantizationConfig | None:
    if body is None:
        return None
    scalar = known(
        known(body, ("scalar",), "quantization_config").get("scalar"),
        ("type", "quantile", "always_ram"),
        "scalar quantization",
    )
    return built(
        edge.ScalarQuantizationConfig,
        one_of(scalar.get("type"), {"int8": edge.ScalarType.Int8}, "type"),
        scalar.get("quantile"),
        scalar.get("always_ram"),
    )


def index_from(body: Any) -> tuple[Any, Json]:
    """Returns the engine's index settings and the JSON that describes them."""
    params = {"type": body} if isinstance(body, str) else dict(known(body, body or (), "schema"))
    kind = params.get("type")
    make, fields = one_of(kind, INDEXES, "field_schema")
    known(params, ("type", *fields), "field_schema")
    settings = {name: params[name] for name in fields if params.get(name) is not None}
    if "tokenizer" in settings:
        settings["tokenizer"] = one_of(settings["tokenizer"], TOKENIZERS, "tokenizer")
    return built(make, **settings), params


def described(body: Json) -> Json:
    """The settings of a collection as `GET /collections/{name}` shows them."""
    sparse = {name: each or {} for name, each in (body.get("sparse_vectors") or {}).items()}
    params = {
        "vectors": body.get("vectors") or {},
        "shard_number": body.get("shard_number") or 1,
        "replication_factor": body.get("replication_factor") or 1,
        "write_consistency_factor": body.get("write_consistency_factor") or 1,
        "on_disk_payload": body.get("on_disk_payload") is not False,
    }
    if sparse:
        params["sparse_vectors"] = sparse
    hnsw = {name: value for name, value in HNSW.items() if value is not None}
    shown = {
        "params": params,
        "hnsw_config": hnsw | {"on_disk": False} | set_in(body.get("hnsw_config")),
        "optimizer_config": OPTIMIZERS | IDLE_OPTIMIZERS | set_in(body.get("optimizers_config")),
        "wal_config": WAL | set_in(body.get("wal_config")),
        "quantization_config": body.get("quantization_config"),
    }
    if body.get("metadata"):
        shown["metadata"] = body["metadata"]
    return shown


def set_in(body: Json | None) -> Json:
    return {name: value for name, value in (body or {}).items() if value is not None}


def overlaid(defaults: Json, body: Json) -> Json:
    return defaults | set_in(body)
