"""What a share costs at an instant: a walk that looks random and is the same in every run.

The walk is a sum of smooth waves between hashed anchor points, so any instant costs the same to ask, no history is
kept, and limit orders can rest, be reached and fill.
"""

import hashlib
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

STEP_SECONDS = 5
_WAVES = ((7200, 0.010), (900, 0.004), (60, 0.0012), (STEP_SECONDS, 0.0004))


def walk(key: str, instant: datetime) -> float:
    """The factor on the base price, within 1.6 % of 1; it changes every STEP_SECONDS."""
    step = int(instant.timestamp()) // STEP_SECONDS * STEP_SECONDS
    return 1 + sum(_wave(key, period, step) * height for period, height in _WAVES)


def to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """The nearest price on the tick grid, at least one tick."""
    steps = (price / tick).quantize(Decimal(1), ROUND_HALF_UP)
    return max(steps, Decimal(1)) * tick


def _wave(key: str, period: int, second: int) -> float:
    index, into = divmod(second, period)
    share = into / period
    smooth = share * share * (3 - 2 * share)
    before, after = _anchor(key, period, index), _anchor(key, period, index + 1)
    return before + (after - before) * smooth


@lru_cache(maxsize=20_000)
def _anchor(key: str, period: int, index: int) -> float:
    digest = hashlib.blake2b(f"{key}/{period}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 0x7FFF_FFFF - 1
