from app.errors import Unavailable


class DatabaseUnavailable(Unavailable):
    """The database doesn't answer; try again shortly."""


class DatabaseBusy(Unavailable):
    """All connections to the database are in use; try again shortly."""


class DatabaseDamaged(Unavailable):
    """The database's file is damaged; `mindgraph doctor` says more."""

    # Somebody has to restore a backup first.
    retry_after = 60


class DatabaseReadOnly(Unavailable):
    """The database takes no changes, as its disk is nearly full; what is saved can be read."""

    # Somebody has to make space first.
    retry_after = 60


class DiskFull(Unavailable):
    """The disk of the database is full; nothing can be saved until there is space again."""

    retry_after = 60


class FileUnusable(Unavailable):
    """The database's file can't be used."""
