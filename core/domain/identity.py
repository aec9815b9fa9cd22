"""Is this body new, a resend, or a second wish? Identical bytes prove neither: an exit and an entry can be the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.domain.source import IdenticalAlerts

SAME_WISH_WITHIN = timedelta(seconds=60)
RESENT_WITHIN = timedelta(minutes=2)
STALE_AFTER = timedelta(seconds=120)


class Copy(StrEnum):
    """NEW: an alert of its own. RESEND: the first copy again. REPEAT: perhaps a second order: ask. REPLAY: refuse."""

    NEW = "new"
    RESEND = "resend"
    REPEAT = "repeat"
    REPLAY = "replay"


@dataclass(frozen=True, kw_only=True)
class FirstCopy:
    """The latest stored alert with the same body. `being_answered`: its sender still waits for our reply."""

    received_at: datetime
    answered_at: datetime | None
    being_answered: bool


def judge_copy(first: FirstCopy | None, *, now: datetime, fired_at: datetime | None, policy: IdenticalAlerts) -> Copy:
    """What a body is, given the first copy of it.

    TradingView sends a body again only when it had no good answer, and never while it waits for one: so a first copy
    that nobody was answered for makes this a resend, for as long as resends come (theirs end within half a minute).
    Everything sooner than a minute after an answer may be meant twice.
    """
    if first is None:
        return Copy.NEW
    if first.being_answered:
        return _by_policy(policy)
    if first.answered_at is None and abs(now - first.received_at) <= RESENT_WITHIN:
        return Copy.RESEND
    if first.answered_at is not None and abs(now - first.answered_at) <= SAME_WISH_WITHIN:
        return _by_policy(policy)
    if fired_at is not None and now - fired_at > STALE_AFTER:
        return Copy.REPLAY
    return Copy.NEW


def _by_policy(policy: IdenticalAlerts) -> Copy:
    match policy:
        case IdenticalAlerts.ASK:
            return Copy.REPEAT
        case IdenticalAlerts.ACCEPT:
            return Copy.NEW
        case IdenticalAlerts.FOLD:
            return Copy.RESEND
