"""How often an address may be wrong about the password."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address, ip_network

# Wrong passwords at once, and the seconds after which one more may follow: 14,400 a day.
MOST, EACH = 10, 6.0
# Addresses that are remembered. Who has more of them than these needs none twice.
ADDRESSES = 10_000


class Guesses:
    """Counts wrong passwords by address, in memory; an IPv6 network of 64 bits is one address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When all that an address was wrong about is forgotten.
        self._forgotten: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until `address` may try again; 0 if it may now."""
        forgotten = self._forgotten.get(_network(address), 0.0)
        return max(0.0, forgotten - self._clock() - (MOST - 1) * EACH)

    def was_wrong(self, address: str) -> None:
        """Count one."""
        network, now = _network(address), self._clock()
        self._forgotten[network] = max(now, self._forgotten.get(network, now)) + EACH
        self._forgotten.move_to_end(network)
        if len(self._forgotten) > ADDRESSES:
            self._forgotten.popitem(last=False)


def _network(address: str) -> str:
    try:
        is_long = ip_address(address).version == 6
    except ValueError:  # of a unix socket there is none
        return address
    return str(ip_network((address, 64), strict=False)) if is_long else address
