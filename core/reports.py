"""What can be said about an alert, an order or the desk, read from the rows at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, func, select

from core import controls
from core.controls import Hold
from core.db import alerts, leases, orders, tokens
from core.db.alerts import StoredAlert
from core.db.tables import cards, outbox
from core.db.tables import orders as order_rows
from core.db.tokens import TokenAge
from core.domain.alert import AlertState
from core.domain.order import Mode, Order, OrderState
from core.domain.ways import Alternative

DESK_IS_LATE = timedelta(seconds=5)
BY_OPERATOR = "the operator"
"""Where an exit comes from; no source, and none can have its name."""


class Standing(StrEnum):
    """Where an alert stands, in the webhook's words (`order_status`). ACCEPTED: stored, nothing more is known yet."""

    ACCEPTED = "accepted"
    PLACED = "placed"
    QUEUED = "queued"
    HELD = "held"
    AWAITING_APPROVAL = "awaiting_approval"
    REFUSED = "refused"
    REJECTED = "rejected"
    DECLINED = "declined"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What a card may offer: a way to reach the exchange sooner, and what to do about an older, opposite order."""

    sooner: Alternative | None = None
    opposite: Order | None = None
    may_supersede: bool = False


@dataclass(frozen=True, kw_only=True)
class AlertReport:
    """An alert with its orders in leg order, the identical alerts that wait, the holds in force, and what is offered.

    Offers are looked up for cards only.
    """

    alert: StoredAlert
    orders: list[Order]
    repeats: list[int]
    holds: dict[Hold, str]
    at: datetime
    offers: Offers = field(default_factory=Offers)

    @property
    def origin(self) -> str:
        """The source's name; of an exit the operator, who asked for it."""
        is_exit = bool(self.orders) and all(order.closes for order in self.orders)
        return BY_OPERATOR if is_exit else self.alert.source.name

    @property
    def standing(self) -> Standing:
        """The first leg that is not settled well speaks for the alert."""
        if self.alert.state is AlertState.REFUSED:
            return Standing.REFUSED
        found = [self.order_standing(order) for order in self.orders]
        return min(found, key=list(Standing).index, default=Standing.ACCEPTED)

    @property
    def is_settled(self) -> bool:
        """Nothing more happens to it within a moment."""
        return self.alert.state is AlertState.REFUSED or (
            bool(self.orders) and all(self.order_standing(order) is not Standing.ACCEPTED for order in self.orders)
        )

    @property
    def mode(self) -> Mode | None:
        return self.orders[0].mode if self.orders else None

    def order_standing(self, order: Order) -> Standing:
        match order.state:
            case OrderState.QUEUED:
                return self._queued(order)
            case OrderState.SUBMITTING | OrderState.UNKNOWN | OrderState.NEEDS_OPERATOR | OrderState.DROPPED:
                return Standing.ACCEPTED
            case (
                OrderState.WORKING
                | OrderState.PART_FILLED
                | OrderState.CANCELLING
                | OrderState.FILLED
                | OrderState.CANCELLED
                | OrderState.LAPSED
            ):
                return Standing.PLACED
            case OrderState.AWAITING_APPROVAL:
                return Standing.AWAITING_APPROVAL
            case OrderState.REFUSED:
                return Standing.REFUSED
            case OrderState.REJECTED:
                return Standing.REJECTED
            case OrderState.DECLINED:
                return Standing.DECLINED
            case OrderState.EXPIRED:
                return Standing.EXPIRED

    def is_held(self, order: Order) -> bool:
        """It may go and is due, and only a hold keeps it back."""
        return self._queued(order) is Standing.HELD if order.state is OrderState.QUEUED else False

    def _queued(self, order: Order) -> Standing:
        if order.release_at is not None and order.release_at > self.at:
            return Standing.QUEUED
        return Standing.HELD if self.holds else Standing.ACCEPTED


def alert_report(connection: Connection, alert_id: int, at: datetime) -> AlertReport | None:
    return alert_reports(connection, [alert_id], at).get(alert_id)


def alert_reports(connection: Connection, alert_ids: Iterable[int], at: datetime) -> dict[int, AlertReport]:
    """Reports of several alerts in a few queries."""
    wanted = list(alert_ids)
    found = orders.of_alerts(connection, wanted)
    holds = controls.holds(connection)
    return {
        alert.id: AlertReport(
            alert=alert,
            orders=found.get(alert.id, []),
            repeats=alerts.waiting_repeats(connection, alert.id),
            holds=holds,
            at=at,
        )
        for alert in alerts.some(connection, wanted)
    }


@dataclass(frozen=True, kw_only=True)
class DeskReport:
    """The desk's health. `heartbeat_age` in seconds is None when no desk ever ran; no secrets anywhere."""

    heartbeat_age: float | None
    holds: dict[Hold, str]
    token: TokenAge | None
    counts: dict[OrderState, int]
    undecided: int
    oldest_unsent: datetime | None

    @property
    def is_alive(self) -> bool:
        return self.heartbeat_age is not None and self.heartbeat_age < DESK_IS_LATE.total_seconds()


def desk_report(connection: Connection, wall: datetime) -> DeskReport:
    """`wall` is the machine's time, which heartbeats are kept in."""
    lease = leases.current(connection)
    counts = connection.execute(
        select(order_rows.c.state, func.count().label("total"))
        .where(order_rows.c.state.in_([state for state in OrderState if not state.is_final]))
        .group_by(order_rows.c.state)
    )
    unsent = [
        connection.execute(select(func.min(outbox.c.created_at)).where(outbox.c.due_at.is_not(None))).scalar(),
        connection.execute(select(func.min(cards.c.due_at))).scalar(),
    ]
    return DeskReport(
        heartbeat_age=(wall - lease.renewed_at).total_seconds() if lease else None,
        holds=controls.holds(connection),
        token=tokens.age(connection),
        counts={row.state: row.total for row in counts},
        undecided=alerts.count_undecided(connection),
        oldest_unsent=min((moment for moment in unsent if moment), default=None),
    )
