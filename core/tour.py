"""The tour of a new operator, on paper only: an alert of the desk's own that always asks, to be approved and filled."""

import json
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from sqlalchemy import Connection

from core import controls, journal, market_days, notifications
from core.clock import INDIA, to_india
from core.db import alerts, orders, sources
from core.domain.alert import Exchange, InstrumentKind, Leg, OrderType, Product, Side
from core.domain.approval import EVERY_ORDER, ApprovalPolicy
from core.domain.instrument import SegmentClass
from core.domain.order import Mode, OrderState
from core.domain.sessions import Calendar, Trading, spoken
from core.engine.plan import Plan, Resolve, plan_leg, times
from core.errors import Refusal
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


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What becomes of the tour's alert at `at`: `refused` says why it would be; else, once approved, it fills at once
    where `is_open`, and `way` says what it does. `holds` say why nothing goes out.
    """

    at: datetime
    is_open: bool
    way: str
    holds: tuple[str, ...]
    refused: str = ""

    @property
    def waits(self) -> bool:
        """Whether a trading morning would let it fill."""
        return not (self.is_open or self.refused)


def foresee(connection: Connection, *, resolve: Resolve, calendar: Calendar, now: datetime) -> Outlook:
    """The very decision, and nothing stored."""
    try:
        return _outlook(connection, _plan(connection, resolve, calendar, now), calendar, now)
    except Refusal as refusal:
        holds = tuple(controls.holds(connection).values())
        return Outlook(at=now, is_open=False, way="", holds=holds, refused=str(refusal))


def fire(
    connection: Connection, *, user_id: int, resolve: Resolve, calendar: Calendar, now: datetime
) -> tuple[int, Outlook]:
    """Store the alert with its card; its number, and what becomes of it. Raises Refusal."""
    own, actor = Policies.read(connection), journal.operator(user_id)
    plan = _plan(connection, resolve, calendar, now)
    outlook = _outlook(connection, plan, calendar, now)
    if own.approval is not ApprovalPolicy.ALWAYS:
        plan = replace(plan, reason=plan.reason.replace(EVERY_ORDER, _ASKS))
    alert_id = alerts.add_own(connection, body=json.dumps({"tour": True}), reason=_WORDS, actor=actor, at=now)
    notifications.open_cards(connection, alert_id, now)
    for place, ticket in enumerate(plan.tickets, start=1):
        row = {"alert_id": alert_id, "position": place, **plan.facts, **vars(ticket), **times(plan, own, now)}
        orders.add(connection, row, at=now, actor=actor)
    return alert_id, outlook


def _plan(connection: Connection, resolve: Resolve, calendar: Calendar, now: datetime) -> Plan:
    return plan_leg(
        connection,
        _LEG,
        source=sources.default(connection),
        resolve=resolve,
        calendar=market_days.in_force(connection, calendar),
        policies=replace(Policies.read(connection), approval=ApprovalPolicy.ALWAYS),
        late="",
        now=now,
    )


def _outlook(connection: Connection, plan: Plan, calendar: Calendar, now: datetime) -> Outlook:
    goes_now = plan.decision.mode is Mode.IMMEDIATE
    return Outlook(
        at=now,
        is_open=goes_now and is_open(market_days.in_force(connection, calendar), now),
        way=_way(plan),
        holds=tuple(controls.holds(connection).values()),
        refused=plan.reason if plan.state is OrderState.REFUSED else "",
    )


def _way(plan: Plan) -> str:
    decision = plan.decision
    if decision.mode is None or decision.release_at is None or decision.reaches_exchange_at is None:
        return f"is held: {decision.reason.rstrip('.')}"
    goes = "goes to Dhan at once" if decision.mode is not Mode.QUEUE else f"goes to Dhan {spoken(decision.release_at)}"
    kind = " as an after-market order" if decision.as_amo else ""
    return f"{goes}{kind} and reaches the exchange {spoken(decision.reaches_exchange_at)}"


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
