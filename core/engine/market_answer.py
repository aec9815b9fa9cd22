"""Dhan's two answers about the market itself: a closed one makes an after-market offer, a blocked one a later try.

Texts as observed in production: "Market is Closed! Want to place an offline order?", "Markets are Offline or Blocked".
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import journal, notifications
from core.db import attempts, orders
from core.domain.alert import Product
from core.domain.notice import Notice
from core.domain.order import Order, OrderState
from core.domain.routing import after_market
from core.domain.sessions import spoken
from core.domain.ways import Alternative
from core.engine.claim import Claim
from core.policies import Policies
from core.replan import new_times

_TRY_AGAIN_AFTER = (1, 2, 5, 10, 15)  # minutes


def offer_after_market(connection: Connection, claim: Claim, now: datetime, *, words: str) -> bool:
    """Ask whether the refused regular order shall go after-market; False when there is no such way for it.

    Asked under every policy: the operator wanted it now, and it would come a day later. Dhan squares an intraday
    position off before that, so there is no such way for its exit.
    """
    order = claim.order
    is_over_by_then = order.closes and order.product is Product.INTRADAY
    way = None if order.as_amo or is_over_by_then else after_market(order, claim.calendar, now)
    if not isinstance(way, Alternative):
        return False
    offer = f"Approve it to go after-market instead, and to reach the exchange {spoken(way.reaches_exchange_at)}."
    reason = f"{words} {offer}"
    queued = orders.move(connection, order, OrderState.QUEUED, at=now, actor=journal.DHAN, reason=words)
    if queued is None:
        return True
    times = new_times(way, Policies.read(connection), replace(queued, state=OrderState.AWAITING_APPROVAL))
    asked = orders.move(
        connection, queued, OrderState.AWAITING_APPROVAL, at=now, actor=journal.DESK, reason=reason, **times
    )
    if asked is not None:
        notifications.ring_order(connection, Notice.REMINDER, asked, at=now, words=reason)
    return True


def try_while_open(connection: Connection, claim: Claim, now: datetime, *, words: str, is_new: bool) -> Order | None:
    """Keep its place and try again, less often each time, for as long as its window lasts; rings when that `is_new`."""
    attempt = attempts.get(connection, claim.attempt_id)
    pause = timedelta(minutes=_TRY_AGAIN_AFTER[min(attempt.posts, len(_TRY_AGAIN_AFTER)) - 1])
    again = f"{words} It is tried again {spoken(now + pause)}, until its window ends."
    queued = orders.move(
        connection, claim.order, OrderState.QUEUED, at=now, actor=journal.DHAN, reason=again, retry_at=now + pause
    )
    if queued is not None and is_new:
        notifications.ring_order(connection, Notice.BLOCKED, queued, at=now, words=again)
    return queued
