"""Dhan's rate limits in real time: a test can jump the clock, but not be faster than the broker."""

from collections import deque
from collections.abc import Mapping

from core.clock import monotonic

DHANS = {"second": 10, "minute": 250, "hour": 1000, "day": 7000}
PRICES = {"second": 1}
_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


class Limits:
    """Calls allowed per rolling window; an empty mapping means no limit."""

    def __init__(self, allowed: Mapping[str, int] = DHANS) -> None:
        self.set(allowed)

    def set(self, allowed: Mapping[str, int]) -> None:
        """Forget the past and count by these. Raises KeyError for an unknown window."""
        self.allowed = {name: int(count) for name, count in allowed.items()}
        self._windows = [(_SECONDS[name], count, deque[float]()) for name, count in self.allowed.items()]

    def admit(self) -> bool:
        """Whether one more call fits; a refused call does not count."""
        now = monotonic()
        for seconds, _, times in self._windows:
            while times and times[0] <= now - seconds:
                times.popleft()
        if any(len(times) >= count for _, count, times in self._windows):
            return False
        for _, _, times in self._windows:
            times.append(now)
        return True
