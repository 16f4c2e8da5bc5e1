"""The collections in Qdrant. All of them can be rebuilt from the database."""

import warnings

from app.vectors import client as clients
from app.vectors.library import QdrantClient, UnexpectedResponse, models

DENSE = "dense"
KEYWORDS = "keywords"
# Fields of a point.
TENANT = "user_id"
DOCUMENT = "document_id"
VERSION = "version_id"

INTEGER = models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=False)
INDEXED: dict[str, models.PayloadSchemaType | models.IntegerIndexParams] = {
    TENANT: INTEGER,
    DOCUMENT: models.PayloadSchemaType.KEYWORD,
    VERSION: models.PayloadSchemaType.KEYWORD,
}


def ensure(client: QdrantClient, name: str, *, vector_size: int) -> bool:
    """Makes a collection where it is missing. Safe to call from many processes.

    One collection holds everybody's points, told apart by the tenant field, which is indexed:
    a collection for each user would cost memory and files for each user.

    Args:
        client: the connection.
        name: the collection's.
        vector_size: dimensions of the dense vectors, as the embedder makes them.

    Returns:
        Whether this call made it.

    Raises:
        QdrantUnavailable.
    """
    with clients.using(client):
        made = not client.collection_exists(name) and _create(client, name, vector_size)
        # Whoever made the collection may have been killed before it made the indexes.
        for field in INDEXED.keys() - client.get_collection(name).payload_schema.keys():
            _index(client, name, field)
        return made


def exists(client: QdrantClient, name: str) -> bool:
    """Raises QdrantUnavailable."""
    with clients.using(client):
        return client.collection_exists(name)


def list_(client: QdrantClient, prefix: str) -> list[str]:
    """The names of all collections that begin so. Raises QdrantUnavailable."""
    with clients.using(client):
        names = [one.name for one in client.get_collections().collections]
    return sorted(name for name in names if name.startswith(prefix))


def delete(client: QdrantClient, name: str) -> None:
    """Raises QdrantUnavailable."""
    with clients.using(client):
        client.delete_collection(name)


def name_alias(client: QdrantClient, alias: str, name: str) -> None:
    """Lets an alias mean a collection, in one step also where it meant another one.

    Raises:
        QdrantUnavailable.
    """
    create = models.CreateAlias(collection_name=name, alias_name=alias)
    with clients.using(client):
        present = {one.alias_name for one in client.get_aliases().aliases}
        changes: list[models.AliasOperations] = []
        if alias in present:
            doomed = models.DeleteAlias(alias_name=alias)
            changes.append(models.DeleteAliasOperation(delete_alias=doomed))
        changes.append(models.CreateAliasOperation(create_alias=create))
        client.update_collection_aliases(change_aliases_operations=changes)


def _index(client: QdrantClient, name: str, field: str) -> None:
    with warnings.catch_warnings():
        # In process there are no payload indexes; the client warns, and filters without them.
        warnings.filterwarnings("ignore", "Payload indexes have no effect", UserWarning)
        client.create_payload_index(name, field, field_schema=INDEXED[field])


def _create(client: QdrantClient, name: str, vector_size: int) -> bool:
    try:
        return client.create_collection(
            name,
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
