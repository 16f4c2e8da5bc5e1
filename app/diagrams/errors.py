from app.errors import AppError, Conflict, NotFound


class DiagramNotFound(NotFound):
    """You have no diagram with this id."""


class NotInTrash(NotFound):
    """You have no diagram with this id in the trash."""


class VersionNotFound(NotFound):
    """This version of the diagram isn't kept."""


class ThumbnailNotFound(NotFound):
    """This diagram has no thumbnail."""


class DiagramLimitReached(Conflict):
    """You have as many diagrams as you may have; delete some first."""


class VersionRequired(AppError):
    """Send the ETag of the diagram that you read as If-Match, or `*` to overwrite any."""

    status = 428


class VersionMismatch(AppError):
    """The diagram has changed since you read it; read it again and repeat your change."""

    status = 412

    def __init__(self, current: int | None = None) -> None:
        if current is None:
            super().__init__()
        else:
            super().__init__(more={"current_version": current}, headers={"ETag": f'"{current}"'})
