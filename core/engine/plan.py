"""What becomes of one leg at one moment: its instrument, its way by the market's clock, and who has to say yes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from core import allowance, sources
from core.clock import to_india
from core.domain.alert import Leg, Product
from core.domain.approval import ApprovalPolicy, stricter, why_ask
from core.domain.instrument import Instrument
from core.domain.limits import Wish, is_exit, needs_two
from core.domain.order import Mode, OrderState
from core.domain.routing import Decision, route, why_expired
from core.domain.sessions import Calendar
from core.domain.source import Source
from core.domain.source import why_ask as why_ask_of
from core.errors import Refusal
from core.policies import Policies, Unapproved
from core.tickets import Ticket, why_not_lots, write_tickets

Resolve = Callable[[Leg, date], Instrument]
"""Names a leg's instrument as of a day, or raises Refusal."""

ANSWER_WITHIN = timedelta(minutes=15)
UNKNOWN_HOURS_ASKED_FOR = timedelta(hours=24)
_TWO_ASKED = "It is worth so much, or nobody knows how much, that two people have to approve it."


@dataclass(frozen=True, kw_only=True)
class Word:
    """An operator's word, `given` at that time, to execute an alert that `came` earlier and was set aside."""

    came: datetime
    given: datetime

    @property
    def was_given_soon(self) -> bool:
        return self.given - self.came <= ANSWER_WITHIN

    def approves(self, as_it_came: Decision) -> bool:
        """Whether it was given while a question about the alert would still have waited. A later tap may be a mistake,
        and another day is another order.
        """
        goes, ends = as_it_came.release_at, as_it_came.window_ends_at
        if goes is None or ends is None:
            return False
        return self.given < goes or (self.was_given_soon and self.given < ends)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One leg as it will be stored: `state` QUEUED, AWAITING_APPROVAL or REFUSED, and `reason` says why."""

    leg: Leg
    instrument: Instrument
    decision: Decision
    state: OrderState
    reason: str
    tickets: tuple[Ticket, ...]
    remarks: tuple[str, ...]
    approved_at: datetime | None = None

    @property
    def quantity(self) -> int:
        """Units of all its orders."""
        return sum(ticket.quantity for ticket in self.tickets)

    @property
    def product(self) -> Product:
        return self.tickets[0].product

    @property
    def facts(self) -> dict[str, Any]:
        """What the rows of all its orders share; the tickets and the times come on top."""
        leg, instrument = self.leg, self.instrument
        return {
            "state": self.state,
            "reason": self.reason,
            "side": leg.side,
            "exchange": instrument.exchange,
            "symbol": instrument.symbol,
            "segment": instrument.segment,
            "security_id": instrument.security_id,
            "tick": instrument.tick,
            "has_derivatives": instrument.has_derivatives,
            "expiry": instrument.expiry,
            "index_expiry": instrument.index_expiry,
            "amo_time": leg.amo_time,
            "validity": leg.validity,
            "alert_price": leg.alert_price,
            "approved_at": self.approved_at,
        }


def plan_leg(
    connection: Connection,
    leg: Leg,
    *,
    resolve: Resolve,
    calendar: Calendar,
    policies: Policies,
    source: Source,
    late: str,
    now: datetime,
    word: Word | None = None,
) -> Plan:
    """By the desk's rules and the source's, of which the stricter wins. Raises Refusal when there is no such order.

    `late` says how old the alert is, when that is too old. Where a `word` approves it, no rule asks which asks about
    every order; a limit does.
    """
    try:
        instrument, moved_on = _alive(leg, resolve, calendar, now)
        route_at = partial(
            route,
            instrument,
            order_type=leg.order_type,
            amo_time=leg.amo_time,
            calendar=calendar,
            policy=policies.release,
            validity=leg.validity,
        )
        decision = route_at(now=now)
        is_approved = word is not None and word.approves(route_at(now=word.came))
        reaches = decision.reaches_exchange_at
        reaches_on = None if reaches is None else to_india(reaches).date()
        written = write_tickets(leg, instrument, policies.equity_product, reaches_on)
    except Refusal as refusal:
        raise Refusal(f"{leg.side} {leg.quantity} {leg.symbol}: {refusal}") from refusal
    ticket = written.tickets[0]
    quantity = sum(each.quantity for each in written.tickets)
    wish = Wish(
        symbol=instrument.symbol,
        quantity=quantity,
        value=allowance.value(instrument.segment, quantity, ticket.price),
        is_exit=is_exit(leg.side, ticket.product),
    )
    at = decision.release_at or now
    broken = allowance.check(connection, policies.limits, wish, at, allowance.PLANNED, source=source)
    above = broken.words if broken else _TWO_ASKED if needs_two(policies.two_people, wish) else ""
    ask = why_ask(
        ApprovalPolicy.NEVER if is_approved else stricter(policies.approval, source.approval),
        decision,
        late=late,
        above=f"{above} {why_not_lots(leg, instrument)} {instrument.why_lots_in_doubt}".strip(),
        trust="" if is_approved else why_ask_of(source, wish.value, now),
        validity=leg.validity,
    )
    state = OrderState.QUEUED if ask is None else OrderState.AWAITING_APPROVAL
    only_told = "" if broken is not None and broken.is_hard else sources.why_only_told(connection, source)
    return Plan(
        leg=leg,
        instrument=instrument,
        decision=decision,
        state=OrderState.REFUSED if only_told or (broken is not None and broken.is_hard) else state,
        reason=f"{only_told} {ask or decision.reason}".strip(),
        tickets=written.tickets,
        remarks=(*moved_on, *written.remarks),
        approved_at=word.given if word and is_approved and state is OrderState.QUEUED else None,
    )


def _alive(leg: Leg, resolve: Resolve, calendar: Calendar, now: datetime) -> tuple[Instrument, list[str]]:
    """The leg's instrument as of the session that its order would reach, and what is remarkable about that.

    Where the nearest contract has had its last session, a continuous symbol counts from the next one. Raises Refusal.
    """
    day, remarks = to_india(now).date(), list[str]()
    nearest = leg if leg.nearest is None else leg.nearest
    while True:
        instrument = resolve(nearest, day)
        over = why_expired(instrument, calendar, now)
        if over is None or instrument.expiry is None:
            break
        if leg.nearest is None:
            raise Refusal(f"{over} Name a later one.")
        day = instrument.expiry + timedelta(days=1)
        remarks.append(f"{instrument.symbol} has had its last session, so {leg.symbol} is counted from the next one.")
    return (instrument if nearest == leg else resolve(leg, day)), remarks


def times(plan: Plan, policies: Policies, now: datetime) -> dict[str, Any]:
    """The row's times. An order that could go now and is asked about gets an answer soon or not at all."""
    decision, asked = plan.decision, plan.state is OrderState.AWAITING_APPROVAL
    patience = policies.patience(is_exit=is_exit(plan.leg.side, plan.product))
    ends = decision.window_ends_at
    if ends is not None and patience is not None and decision.release_at is not None:
        ends = min(ends, decision.release_at + patience)
    answer_by = ends or now + UNKNOWN_HOURS_ASKED_FOR
    if asked and decision.mode is Mode.IMMEDIATE:
        answer_by = min(answer_by, now + ANSWER_WITHIN)
    waits = asked and decision.mode is Mode.QUEUE
    if waits and decision.release_at is not None and policies.unapproved is Unapproved.EXPIRE:
        answer_by = min(answer_by, decision.release_at)
    return {
        "mode": decision.mode,
        "as_amo": decision.as_amo,
        "release_at": decision.release_at,
        "reaches_exchange_at": decision.reaches_exchange_at,
        "window_ends_at": ends,
        "expires_at": answer_by,
        "remind_at": decision.release_at if waits and policies.unapproved is Unapproved.ASK else None,
    }


def too_late(fired_at: datetime, now: datetime, stale: timedelta) -> str:
    """How old an alert is that fired then, in a sentence; empty while it is fresh."""
    age = now - fired_at
    if abs(age) <= stale:
        return ""
    return (
        f"The alert is {_spoken(age)} old: the market may have moved."
        if age > timedelta(0)
        else ("The alert's time lies in the future: its clock or ours is wrong.")
    )


def _spoken(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
