"""Who a request comes from, for rate limits and the audit trail."""

import ipaddress
from typing import Annotated

from fastapi import Depends, Request

# A subscriber gets a whole /64 of IPv6 and can use any address in it.
IPV6_PREFIX = 64


def address_of(request: Request) -> str:
    """The client's address; behind trusted proxies what they say it is, else the peer's."""
    return request.client.host if request.client else "unknown"


async def get_address(request: Request) -> str:
    return address_of(request)


AddressOf = Annotated[str, Depends(get_address)]


def network(address: str) -> str:
    """What counts as one client: an IPv4 address, a /64 of IPv6, or the text of anything else."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False).network_address)
    return str(found)
