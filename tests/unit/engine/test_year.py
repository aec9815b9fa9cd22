"""A year of the desk on a virtual clock: alerts, taps, silence, crashes, a changed calendar; judged by other hours.

One alert a minute would be half a million. Here 500 come over the year, at any second and more often near a boundary;
the desk looks at its rows at each of these moments and when windows open, and sleeps between.
"""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from core import approvals, market_days, offers
from core.broker.port import Accepted, BrokerOrder, BrokerState, OrderRequest
from core.clock import INDIA
from core.db import alerts, attempts, orders
from core.domain.alert import AlertState, Exchange, InstrumentKind, Leg
from core.domain.instrument import Instrument, Market, Segment
from core.domain.order import AT_BROKER, Order, OrderState
from core.engine import timers
from core.engine.adopt import adopt
from core.engine.claim import claim
from core.engine.decide import Decider
from core.engine.reconcile import follow_all
from core.engine.record import Moment, record
from core.engine.resolve import doubt_unfinished
from core.engine.rules import Rules
from core.errors import Refusal
from core.holiday_feed import end_of
from core.sandbox.dhan import hours
from tests.builders import an_alert
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import CALENDAR, WALL, take_lease, tap_on

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
ALERTS = 500
BOUNDARIES = ("00:00", "08:59", "09:00", "09:15", "15:15", "15:20", "15:30", "15:40", "16:59", "17:00")
LOOKS = ("09:15:00", "17:00:00")
SYMBOLS = {"RELIANCE": hours.Market.CASH_WITH_DERIVATIVES, "IRCON": hours.Market.CASH}
CLOSED_AT_SHORT_NOTICE = date(2026, 6, 11)
"""A Thursday that the operator closes on the evening before."""


@dataclass
class Witness:
    """The broker with its own hours, which share nothing with the desk's calendar."""

    markets: dict[str, hours.Market]
    book: dict[str, BrokerOrder] = field(default_factory=dict[str, BrokerOrder])
    outside: list[str] = field(default_factory=list[str])
    posts: Counter[str] = field(default_factory=Counter[str])

    def place(self, request: OrderRequest, now: datetime) -> Accepted:
        market = self.markets[request.security_id]
        takes = hours.takes_amo(now) if request.amo_time else hours.is_open(now, market)
        if not takes or now.astimezone(INDIA).date() == CLOSED_AT_SHORT_NOTICE:
            self.outside.append(f"{now.astimezone(INDIA):%a %d %b %H:%M:%S} {request.amo_time} {market}")
        self.posts[request.correlation_id] += 1
        order_id = str(len(self.book) + 1)
        self.book[order_id] = BrokerOrder(
            order_id=order_id,
            correlation_id=request.correlation_id,
            state=BrokerState.WORKING,
            status="PENDING",
            side=request.side,
            segment=request.segment,
            security_id=request.security_id,
            product=request.product,
            quantity=request.quantity,
            filled_quantity=0,
            average_price=None,
            price=None,
            is_amo=request.amo_time is not None,
        )
        return Accepted(order_id=order_id)


class Year:
    def __init__(self, connection: Connection, seed: int) -> None:
        self.connection = connection
        self.random = random.Random(seed)
        self.now = datetime.combine(FIRST, time(), INDIA).astimezone(UTC)
        self.instruments = {symbol: instrument(symbol) for symbol in SYMBOLS}
        self.decider = Decider(resolve=self.resolve, calendar=CALENDAR)
        self.exchange = Witness({each.security_id: SYMBOLS[name] for name, each in self.instruments.items()})
        self.epoch = take_lease(connection)
        self.fired: list[int] = []
        self.taps: list[tuple[datetime, int]] = []

    def resolve(self, leg: Leg, _today: date) -> Instrument:
        return self.instruments[leg.symbol]

    def run(self) -> None:
        for at, what in self.moments():
            while self.taps and self.taps[0][0] < at:
                self.now, alert = heapq.heappop(self.taps)
                self.tap(alert)
                self.look()
            self.now = at
            if what == "alert":
                self.fire()
            elif what == "closing":
                self.close_a_day()
            self.look()

    def moments(self) -> list[tuple[datetime, str]]:
        days = [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]
        looks = [(india(day, look), "look") for day in days for look in LOOKS]
        fired = [(self.any_moment(self.random.choice(days)), "alert") for _ in range(ALERTS)]
        return sorted([*looks, *fired, (india(CLOSED_AT_SHORT_NOTICE - timedelta(days=1), "18:30:00"), "closing")])

    def any_moment(self, day: date) -> datetime:
        if self.random.random() < 0.4:
            near = india(day, f"{self.random.choice(BOUNDARIES)}:00")
            return near + timedelta(seconds=self.random.choice((-2.1, -2, -1, -0.001, 0, 0.001, 1, 30)))
        return india(day, "00:00:00") + timedelta(seconds=self.random.uniform(0, 86_399))

    def fire(self) -> None:
        leg = SHARE | {"symbol": self.random.choice(list(SYMBOLS)), "transactionType": self.random.choice("BS")}
        leg |= {"amoTime": self.random.choice(("OPEN", "OPEN_30", "OPEN_60"))}
        stored = an_alert(self.connection, body=body(leg).decode(), received_at=self.now)
        self.fired.append(stored.id)
        if self.random.random() < 0.8:
            later = self.now + timedelta(hours=self.random.choice((0.01, 0.5, 6, 30)))
            heapq.heappush(self.taps, (later, stored.id))

    def tap(self, alert: int) -> None:
        found = orders.of_alert(self.connection, alert)
        if not found:
            return  # the desk has not decided it yet, so there is no button
        [order] = found
        tap = tap_on(self.connection, order, self.now)
        try:
            match self.random.choice(("approve", "approve", "approve", "cancel", "sooner", "snooze")):
                case "cancel":
                    approvals.cancel(self.connection, tap)
                case "sooner":
                    offers.sooner(self.connection, tap, CALENDAR)
                case "snooze":
                    offers.snooze(self.connection, tap)
                case _:
                    approvals.approve(self.connection, tap)
        except Refusal:
            pass  # too late, or already gone: the operator is told so

    def close_a_day(self) -> None:
        change = market_days.Change(
            market=Market.EQUITY,
            day=CLOSED_AT_SHORT_NOTICE,
            is_open=False,
            reason="mourning",
            expires_at=end_of(CLOSED_AT_SHORT_NOTICE),
        )
        batch = market_days.ask(self.connection, [change], by="operator 42", at=self.now)
        market_days.confirm(self.connection, batch, CALENDAR, by="operator 42", at=self.now)

    def look(self) -> None:
        """What the desk does at a poll; now and then it is away, or dies over it."""
        if self.random.random() < 0.1:
            return
        while self.decider.decide(self.connection, self.rules()):
            pass
        if timers.anything_is_due(self.connection, CALENDAR, self.now):
            timers.run_due(self.connection, CALENDAR, self.now)
        for order in orders.due(self.connection, self.now, 50):
            if self.send(order) == "died":
                self.restart()
                break
        self.follow()

    def rules(self) -> Rules:
        return Rules.read(self.connection, epoch=self.epoch, now=self.now, wall=WALL, calendar=CALENDAR)

    def send(self, order: Order) -> str:
        claimed = claim(self.connection, order, epoch=self.epoch, now=self.now, wall=WALL, calendar=CALENDAR)
        if claimed is None:
            return "not now"
        luck = self.random.random()
        if luck < 0.04:
            return "died"
        outcome = self.exchange.place(claimed.request, self.now)
        if luck < 0.08:
            return "died"
        record(self.connection, claimed, outcome, self.moment())
        return "sent"

    def restart(self) -> None:
        """Doubt what was under way, and believe the book; what is not in it is for the operator to say."""
        doubt_unfinished(self.connection, self.moment())
        names = {row.correlation_id: row for row in self.exchange.book.values()}
        for order in orders.in_states(self.connection, [OrderState.UNKNOWN]):
            [*_, attempt] = attempts.of_orders(self.connection, [order.id])
            if attempt.correlation_id in names:
                adopt(self.connection, order, names[attempt.correlation_id], self.moment())
            else:
                to = OrderState.NEEDS_OPERATOR
                orders.move(self.connection, order, to, at=self.now, actor="desk", reason="Absent.")

    def follow(self) -> None:
        """Whatever the exchange has seen by now is filled."""
        open_orders = orders.in_states(self.connection, AT_BROKER)
        reached = [order for order in open_orders if order.reaches_exchange_at and order.reaches_exchange_at < self.now]
        book = [filled(self.exchange.book[order.broker_order_id or ""]) for order in reached]
        if book:
            follow_all(self.connection, book, self.moment())

    def moment(self) -> Moment:
        return Moment(now=self.now, wall=WALL)


def india(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIA).astimezone(UTC)


def instrument(symbol: str) -> Instrument:
    return Instrument(
        security_id=str(len(symbol)),
        segment=Segment.NSE_EQ,
        exchange=Exchange.NSE,
        kind=InstrumentKind.EQUITY,
        symbol=symbol,
        name=symbol,
        lot=1,
        tick=Decimal("0.05"),
        has_derivatives=SYMBOLS[symbol] is hours.Market.CASH_WITH_DERIVATIVES,
    )


def filled(order: BrokerOrder) -> BrokerOrder:
    return replace(
        order, state=BrokerState.FILLED, status="TRADED", filled_quantity=order.quantity, average_price=Decimal(100)
    )


ASKED = {OrderState.AWAITING_APPROVAL, OrderState.NEEDS_OPERATOR}


@pytest.mark.fault("CK-04", "SC-01", "SC-05", "SC-07")
@pytest.mark.parametrize("seed", [2026])
def test_a_year_ends_with_every_alert_finished_or_asked_and_every_send_inside_a_window(
    connection: Connection, seed: int
) -> None:
    year = Year(connection, seed)
    year.run()
    year.now = india(LAST + timedelta(days=7), "12:00:00")
    year.random.seed(7)
    for _ in range(3):
        year.look()

    assert year.exchange.outside == []
    assert max(year.exchange.posts.values()) == 1
    states = Counter(order.state for alert in year.fired for order in orders.of_alert(connection, alert))
    assert sum(states.values()) == ALERTS
    assert {alert.state for alert in alerts.some(connection, year.fired)} == {AlertState.DECIDED}
    assert {state for state in states if not state.is_final} <= ASKED
    assert states[OrderState.FILLED] > ALERTS / 3
    assert min(states[state] for state in (OrderState.EXPIRED, OrderState.DECLINED, OrderState.NEEDS_OPERATOR)) > 3
