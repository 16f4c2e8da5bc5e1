from app.errors import AppError, Unauthorized


class WrongToken(Unauthorized):
    """The bearer token is not METRICS_TOKEN."""


class BackupReportUnusable(AppError):
    """The report of the last backup can't be read."""
