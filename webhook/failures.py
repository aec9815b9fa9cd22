"""Counting those who show no valid credentials, so that guessing is slow and quiet.

Who shows the right ones is never limited: a lost order is worse than any number of guesses at a random secret. Behind a
proxy, or at TradingView, the honest and the others share an address.
"""

from collections import OrderedDict
from collections.abc import Callable

import structlog

from core.clock import monotonic
from core.hops import limited_as

log = structlog.get_logger()

PER_ADDRESS = 10
ALTOGETHER = 100
MINUTE = 60.0
MOST_ADDRESSES = 1_024


class _Bucket:
    """Holds so many, and fills again within a minute."""

    def __init__(self, size: int, now: float) -> None:
        self._size = size
        self._left = float(size)
        self._at = now

    def take(self, now: float) -> bool:
        self._left = min(self._size, self._left + (now - self._at) * self._size / MINUTE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Failures:
    """One per process. Only those who failed come here, so an honest alert pays nothing for it."""

    def __init__(
        self,
        per_address: int = PER_ADDRESS,
        altogether: int = ALTOGETHER,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._per_address = per_address
        self._all = _Bucket(altogether, monotonic())
        self._one: OrderedDict[str, _Bucket] = OrderedDict()
        self._said_at = -MINUTE
        self.refused = 0
        self.limited = 0

    def are_too_many(self, address: str) -> bool:
        """Count one more of this address; True when it, or all together, had their share of this minute."""
        now, key = self._monotonic(), limited_as(address)
        bucket = self._one.pop(key, None) or _Bucket(self._per_address, now)
        self._one[key] = bucket
        if len(self._one) > MOST_ADDRESSES:
            self._one.popitem(last=False)
        if bucket.take(now) and self._all.take(now):
            self.refused += 1
            return False
        self.limited += 1
        if now - self._said_at >= MINUTE:
            self._said_at = now
            log.warning("too_many_wrong_credentials", address=address, limited=self.limited)
        return True


TOO_MANY = "Too many tries with wrong credentials; try again in a minute. The right ones are always let in."
