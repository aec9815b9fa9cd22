"""From a stored alert to orders: what each leg means, when it can go, and whether the operator is asked first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from core import controls, journal, notifications
from core.alerts.parse import parse_alert, read_alert_text
from core.clock import to_india
from core.db import alerts, orders
from core.db.alerts import StoredAlert
from core.domain.alert import Alert, AlertState, Leg
from core.domain.approval import ApprovalPolicy, why_ask
from core.domain.identity import STALE_AFTER
from core.domain.instrument import Instrument
from core.domain.order import Mode, OrderState
from core.domain.routing import Decision, ReleasePolicy, route
from core.domain.sessions import Calendar
from core.errors import AlertRefused, Refusal
from core.tickets import EquityProduct, write_tickets

AT_ONCE = 16
ANSWER_WITHIN = timedelta(minutes=15)
UNKNOWN_HOURS_ASKED_FOR = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The operator's settings that decisions depend on."""

    approval: ApprovalPolicy
    release: ReleasePolicy
    equity_product: EquityProduct

    @classmethod
    def read(cls, connection: Connection) -> "Policies":
        stored = controls.fetch(connection, "policies") or {}
        return cls(
            approval=ApprovalPolicy(stored.get("approval", ApprovalPolicy.QUEUED)),
            release=ReleasePolicy(stored.get("release", ReleasePolicy.AMO)),
            equity_product=EquityProduct(stored.get("equity_product", EquityProduct.CNC)),
        )


@dataclass(frozen=True, kw_only=True)
class Decider:
    """Decides received alerts. `resolve` names a leg's instrument as of a day, or raises Refusal."""

    resolve: Callable[[Leg, date], Instrument]
    calendar: Calendar

    def decide(self, connection: Connection, now: datetime) -> int:
        """Turn the oldest undecided alerts into orders, in one transaction; returns how many."""
        waiting = alerts.undecided(connection, AT_ONCE)
        policies = Policies.read(connection) if waiting else None
        for stored in waiting:
            notifications.open_cards(connection, stored.id, now)
            self._decide_one(connection, stored, policies or Policies.read(connection), now)
        return len(waiting)

    def _decide_one(self, connection: Connection, stored: StoredAlert, policies: Policies, now: datetime) -> None:
        try:
            alert = _readable(stored)
            legs = sorted(alert.legs, key=lambda leg: leg.position)
            written = [self._draft(leg, stored, alert, policies, now) for leg in legs]
        except Refusal as refusal:
            alerts.decided(connection, stored, AlertState.REFUSED, at=now, reason=str(refusal))
            return
        drafts = [draft for drafts, _ in written for draft in drafts]
        for place, draft in enumerate(drafts, start=1):
            orders.add(connection, draft | {"position": place}, at=now, actor=journal.DESK)
        remarks = [*alert.remarks, *(remark for _, remarks in written for remark in remarks)]
        alerts.decided(connection, stored, AlertState.DECIDED, at=now, reason=" ".join(remarks))

    def _draft(
        self, leg: Leg, stored: StoredAlert, alert: Alert, policies: Policies, now: datetime
    ) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The orders of one leg, mostly one, and what is remarked about them."""
        try:
            instrument = self.resolve(leg, to_india(now).date())
            written = write_tickets(leg, instrument, policies.equity_product)
        except Refusal as refusal:
            raise Refusal(f"{leg.side} {leg.quantity} {leg.symbol}: {refusal}") from refusal
        decision = route(
            segment_class=instrument.segment_class,
            order_type=written.tickets[0].order_type,
            amo_time=leg.amo_time,
            now=now,
            calendar=self.calendar,
            policy=policies.release,
        )
        ask = why_ask(policies.approval, decision, late=_too_late(stored, alert, now))
        shared = {
            **_what(leg, instrument),
            "alert_id": stored.id,
            "state": OrderState.QUEUED if ask is None else OrderState.AWAITING_APPROVAL,
            "reason": ask or decision.reason,
            **_when(decision, asked=ask is not None, now=now),
        }
        return [shared | vars(ticket) for ticket in written.tickets], written.remarks


def _readable(stored: StoredAlert) -> Alert:
    if stored.reason:
        raise AlertRefused([stored.reason])
    return parse_alert(read_alert_text(stored.body.encode()))


def _too_late(stored: StoredAlert, alert: Alert, now: datetime) -> str:
    age = now - (alert.fired_at or stored.received_at)
    if abs(age) <= STALE_AFTER:
        return ""
    return (
        f"The alert is {_spoken(age)} old: the market may have moved."
        if age > timedelta(0)
        else ("The alert's time lies in the future: its clock or ours is wrong.")
    )


def _spoken(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


def _what(leg: Leg, instrument: Instrument) -> dict[str, Any]:
    return {
        "side": leg.side,
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "segment": instrument.segment,
        "security_id": instrument.security_id,
        "tick": instrument.tick,
        "has_derivatives": instrument.has_derivatives,
        "amo_time": leg.amo_time,
    }


def _when(decision: Decision, *, asked: bool, now: datetime) -> dict[str, Any]:
    """An order that could go now and is asked about gets an answer soon or not at all."""
    ends = decision.window_ends_at or now + UNKNOWN_HOURS_ASKED_FOR
    return {
        "mode": decision.mode,
        "as_amo": decision.as_amo,
        "release_at": decision.release_at,
        "reaches_exchange_at": decision.reaches_exchange_at,
        "expires_at": min(ends, now + ANSWER_WITHIN) if asked and decision.mode is Mode.IMMEDIATE else ends,
    }
