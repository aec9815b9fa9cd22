"""The tour of a new operator, on paper only: an alert of the desk's own that always asks, to be approved and filled."""

import json
from dataclasses import replace
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from core import journal, market_days, notifications
from core.clock import INDIA, to_india
from core.db import alerts, orders, sources
from core.domain.alert import Exchange, InstrumentKind, Leg, OrderType, Product, Side
from core.domain.approval import EVERY_ORDER, ApprovalPolicy
from core.domain.instrument import SegmentClass
from core.domain.order import Mode
from core.domain.sessions import Calendar, Trading
from core.engine.plan import Resolve, plan_leg, times
from core.policies import Policies

_LEG = Leg(
    position=1,
    side=Side.BUY,
    order_type=OrderType.MARKET,
    quantity=1,
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    kind=InstrumentKind.EQUITY,
    product=Product.DELIVERY,
)
_WORDS = "The tour's paper alert: approve it, and watch it fill."
_ASKS = "The tour asks under every policy."
_IN_SESSION = time(10, 30)
_DAYS_LOOKED_AT = 10


def fire(
    connection: Connection, *, user_id: int, resolve: Resolve, calendar: Calendar, now: datetime
) -> tuple[int, bool]:
    """Store the alert with its card; its number, and whether the market is open for it. Raises Refusal."""
    own, actor = Policies.read(connection), journal.operator(user_id)
    policies = replace(own, approval=ApprovalPolicy.ALWAYS)
    today = market_days.in_force(connection, calendar)
    plan = plan_leg(
        connection,
        _LEG,
        source=sources.default(connection),
        resolve=resolve,
        calendar=today,
        policies=policies,
        late="",
        now=now,
    )
    if own.approval is not ApprovalPolicy.ALWAYS:
        plan = replace(plan, reason=plan.reason.replace(EVERY_ORDER, _ASKS))
    alert_id = alerts.add_own(connection, body=json.dumps({"tour": True}), reason=_WORDS, actor=actor, at=now)
    notifications.open_cards(connection, alert_id, now)
    for place, ticket in enumerate(plan.tickets, start=1):
        row = {"alert_id": alert_id, "position": place, **plan.facts, **vars(ticket), **times(plan, policies, now)}
        orders.add(connection, row, at=now, actor=actor)
    return alert_id, plan.decision.mode is Mode.IMMEDIATE


def is_open(calendar: Calendar, now: datetime) -> bool:
    """Whether the tour's share is traded at this moment, so that an approved order fills at once."""
    local = to_india(now)
    day = calendar.day(SegmentClass.CASH_WITH_DERIVATIVES, local.date())
    return isinstance(day, Trading) and any(span.opens <= local.time() < span.closes for span in day.sessions)


def next_session(calendar: Calendar, now: datetime) -> datetime | None:
    """A moment ahead when shares are traded; None where the calendar knows none soon."""
    today = to_india(now).date()
    days = (today + timedelta(days=count) for count in range(_DAYS_LOOKED_AT))
    moments = (datetime.combine(day, _IN_SESSION, INDIA) for day in days)
    ahead = (at for at in moments if at > now)
    return next((at for at in ahead if isinstance(calendar.day(SegmentClass.CASH, at.date()), Trading)), None)
