"""The collections in Qdrant. All of them can be rebuilt from the database."""

import warnings

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from app.vectors import client as clients

KNOWLEDGE = "knowledge"
DENSE = "dense"
KEYWORDS = "keywords"
TENANT = "user_id"


def ensure(client: QdrantClient, *, vector_size: int) -> bool:
    """Makes the knowledge collection where it is missing. Safe to call from many processes.

    One collection holds everybody's points, told apart by the tenant field, which is indexed:
    a collection for each user would cost memory and files for each user.

    Args:
        client: the connection.
        vector_size: dimensions of the dense vectors, as the embedder makes them.

    Returns:
        Whether this call made it.
    """
    with clients.translated():
        made = not client.collection_exists(KNOWLEDGE) and _create(client, vector_size)
        # Whoever made the collection may have been killed before it made the index.
        if TENANT not in client.get_collection(KNOWLEDGE).payload_schema:
            _index_tenant(client)
        return made


def _index_tenant(client: QdrantClient) -> None:
    with warnings.catch_warnings():
        # In process there are no payload indexes; the client warns, and filters without them.
        warnings.filterwarnings("ignore", "Payload indexes have no effect", UserWarning)
        client.create_payload_index(
            KNOWLEDGE,
            TENANT,
            field_schema=models.IntegerIndexParams(
                type=models.IntegerIndexType.INTEGER, lookup=True, range=False
            ),
        )


def _create(client: QdrantClient, vector_size: int) -> bool:
    try:
        return client.create_collection(
            KNOWLEDGE,
            vectors_config={
                DENSE: models.VectorParams(size=vector_size, distance=models.Distance.COSINE)
            },
            sparse_vectors_config={
                KEYWORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)
            },
        )
    except UnexpectedResponse as error:
        if error.status_code == 409 or b"already exists" in error.content:
            return False
        raise
