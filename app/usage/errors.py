from app.errors import Forbidden, InvalidInput, Unavailable


class RecorderFull(Unavailable):
    """Too many records of usage wait to be stored; send these again shortly."""


class RecorderClosed(Unavailable):
    """The service is stopping; send these records of usage again shortly."""


class UnknownTimeZone(InvalidInput):
    """This time zone is not known; name it like Asia/Shanghai or UTC."""


class InvalidPeriod(InvalidInput):
    """These statistics can't cover this period."""


class OrganizationMissing(InvalidInput):
    """Say which organization with organization_id."""


class TooManyRows(InvalidInput):
    """These statistics would have too many rows; ask for fewer days, or group by less."""


class StatisticsForbidden(Forbidden):
    """You see your own usage; managers see their organization's, administrators everybody's."""


class NoRetention(InvalidInput):
    """Say how many days of usage to keep, with --days or USAGE_RETENTION_DAYS."""
