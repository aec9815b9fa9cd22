"""Telegram's patience: about 30 messages a second in all; to one chat bursts pass, a flood does not."""

import math
from collections import defaultdict, deque

from core.clock import Clock
from core.sandbox.telegram.errors import BotApiError

_WINDOW = 1.0
_OVERALL = 30
_PER_CHAT = 20


class FloodGate:
    """Counts messages and edits over a sliding second. Calls made while blocked prolong the block."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: deque[float] = deque()
        self._chats: defaultdict[int, deque[float]] = defaultdict(deque)

    def pass_through(self, chat_id: int) -> None:
        """Count one message. Raises BotApiError 429 with `retry_after` in whole seconds."""
        now = self._clock.now().timestamp()
        waits = [_wait(self._all, now, _OVERALL), _wait(self._chats[chat_id], now, _PER_CHAT)]
        if any(waits):
            seconds = max(1, math.ceil(max(waits)))
            raise BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _wait(sent: deque[float], now: float, limit: int) -> float:
    """Seconds until there is room; this call is counted either way."""
    while sent and sent[0] <= now - _WINDOW:
        sent.popleft()
    full = len(sent) >= limit
    if full:
        sent.popleft()
    sent.append(now)
    return sent[0] + _WINDOW - now if full else 0.0
