from app.errors import NotFound


class DiagramNotFound(NotFound):
    """You have no diagram with this id."""
