"""How old the images are: no registry need be reached to know that holes were found since."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional

from host.checks.finding import Finding, failure, ok, warning

# Debian mends holes weekly; an image that is older than this has surely missed some.
WARN_AGE, FAIL_AGE = timedelta(days=35), timedelta(days=120)
RENEW = "`bash docker/images.sh refresh && make up-prod`"


def examine(service: str, created: Optional[str], now: datetime) -> Finding:
    """
    Args:
        service: whose image it is.
        created: as the engine writes it, with any number of digits after the second; None where
            there is no such image.
    """
    check = f"image-{service}"
    if created is None:
        return failure(check, "is not here", "`make up-prod`")
    made = datetime.strptime(f"{created.strip()[:19]}+0000", "%Y-%m-%dT%H:%M:%S%z")
    age = now.astimezone(timezone.utc) - made
    seen = f"is {age.days} days old"
    if age >= FAIL_AGE:
        return failure(check, seen, RENEW)
    if age >= WARN_AGE:
        return warning(check, seen, RENEW)
    return ok(check, seen)
