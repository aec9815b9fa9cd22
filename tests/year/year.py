"""A year of the desk on a virtual clock: alerts, taps, silence, crashes, a changed calendar; judged by a witness.

The desk's own decider, timers, claim and reconciliation work on a real database, which is committed and opened anew
every night. The desk looks at its rows whenever an alert comes and when windows open, and sleeps between.
"""

import heapq
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from core import approvals, market_days, offers
from core.broker.port import BrokerOrder, BrokerState
from core.clock import INDIA, Moment
from core.db import attempts, orders
from core.db.engine import Database
from core.db.tables import alerts as alert_rows
from core.db.tables import orders as order_rows
from core.domain.alert import AlertState, Exchange, InstrumentKind, Leg
from core.domain.instrument import Instrument, Market, Segment, SegmentClass, segment_class
from core.domain.order import AT_BROKER, Order, OrderState
from core.engine import timers
from core.engine.adopt import adopt
from core.engine.claim import claim
from core.engine.decide import Decider
from core.engine.reconcile import follow_all
from core.engine.record import Posted, record_all
from core.engine.resolve import doubt_unfinished
from core.engine.rules import Rules
from core.errors import Refusal
from core.holiday_feed import end_of
from tests.builders import CALENDAR, an_alert
from tests.unit.alerts.alert_samples import SHARE, body
from tests.unit.engine.rows import WALL, take_lease, tap_on
from tests.year.witness import CLOSED_AT_SHORT_NOTICE, Witness

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
BOUNDARIES = (
    "00:00",
    "08:45",
    "08:59",
    "09:00",
    "09:15",
    "15:15",
    "15:20",
    "15:30",
    "15:40",
    "16:59",
    "17:00",
    "17:30",
)
LOOKS = ("00:00:00", "09:00:00", "09:15:00", "17:00:00", "17:30:00")
SYMBOLS = {
    "RELIANCE": (Segment.NSE_EQ, InstrumentKind.EQUITY, True),
    "IRCON": (Segment.NSE_EQ, InstrumentKind.EQUITY, False),
    "NIFTY1!": (Segment.NSE_FNO, InstrumentKind.FUTURE, False),
    "USDINR1!": (Segment.NSE_CURRENCY, InstrumentKind.FUTURE, False),
    "GOLD1!": (Segment.MCX_COMM, InstrumentKind.FUTURE, False),
    "CPO1!": (Segment.MCX_COMM, InstrumentKind.FUTURE, False),
}
"""One of each segment class: segment, kind, and whether a share has derivatives."""


class Year:
    def __init__(self, database: Database, *, seed: int, alerts: list[datetime]) -> None:
        self.database = database
        self.open = ExitStack()
        self.connection = self.open.enter_context(database.transaction())
        self.random = random.Random(seed)
        self.alerts = alerts
        self.restarts = 0
        self.now = india(FIRST, "00:00:00")
        self.instruments = {symbol: instrument(symbol) for symbol in SYMBOLS}
        self.decider = Decider(resolve=self.resolve)
        self.exchange = Witness({each.security_id: class_of(each) for each in self.instruments.values()})
        self.epoch = take_lease(self.connection)
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
            elif what == "night":
                self.reopen()
            self.look()
        self.end()

    def end(self) -> None:
        """A week later everybody has had the time to answer; the desk looks without being away."""
        self.now = india(LAST + timedelta(days=7), "12:00:00")
        for _ in range(3):
            self.look(is_there=True)
        self.reopen()

    def reopen(self) -> None:
        """The database is closed for the night: what counts is what stands in it."""
        self.open.close()
        self.connection = self.open.enter_context(self.database.transaction())

    def counts(self) -> Counter[OrderState]:
        """How many orders stand where."""
        found = self.connection.execute(
            select(order_rows.c.state, func.count().label("total")).group_by(order_rows.c.state)
        )
        return Counter({row.state: row.total for row in found})

    def undecided(self) -> int:
        query = select(func.count()).where(alert_rows.c.state != AlertState.DECIDED).select_from(alert_rows)
        return self.connection.execute(query).scalar_one()

    def moments(self) -> list[tuple[datetime, str]]:
        days = [FIRST + timedelta(days=count) for count in range((LAST - FIRST).days + 1)]
        looks = [(india(day, look), "night" if look == LOOKS[0] else "look") for day in days for look in LOOKS]
        fired = [(at, "alert") for at in self.alerts]
        return sorted([*looks, *fired, (india(CLOSED_AT_SHORT_NOTICE - timedelta(days=1), "18:30:00"), "closing")])

    def fire(self) -> None:
        symbol = self.random.choice(list(SYMBOLS))
        instrument = self.instruments[symbol]
        kind = "EQ" if instrument.kind is InstrumentKind.EQUITY else "FUT"
        leg = SHARE | {"symbol": symbol, "instrument": kind, "exchange": instrument.exchange}
        leg |= {"transactionType": self.random.choice("BS"), "productType": "C" if kind == "EQ" else "M"}
        leg |= {"amoTime": self.random.choice(("OPEN", "OPEN_30", "OPEN_60"))}
        stored = an_alert(self.connection, body=body(leg).decode(), received_at=self.now)
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

    def look(self, *, is_there: bool = False) -> None:
        """What the desk does at a poll; now and then it is away, or dies over it."""
        if self.random.random() < 0.1 and not is_there:
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
        record_all(self.connection, [Posted(claim=claimed, outcome=outcome, moment=self.moment())])
        return "sent"

    def restart(self) -> None:
        """Doubt what was under way, and believe the book; what is not in it is for the operator to say."""
        self.restarts += 1
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
        at_broker = order_rows.c.state.in_(AT_BROKER), order_rows.c.reaches_exchange_at < self.now
        found = self.connection.execute(select(order_rows.c.broker_order_id).where(*at_broker)).scalars()
        book = [filled(self.exchange.book[order_id or ""]) for order_id in found]
        if book:
            follow_all(self.connection, book, self.moment())

    def moment(self) -> Moment:
        return Moment(now=self.now, wall=WALL)


def india(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIA).astimezone(UTC)


def instrument(symbol: str) -> Instrument:
    segment, kind, has_derivatives = SYMBOLS[symbol]
    return Instrument(
        security_id=symbol,
        segment=segment,
        exchange=Exchange.MCX if segment is Segment.MCX_COMM else Exchange.NSE,
        kind=kind,
        symbol=symbol,
        name=symbol,
        lot=1,
        tick=Decimal("0.05"),
        has_derivatives=has_derivatives,
    )


def class_of(each: Instrument) -> SegmentClass:
    return segment_class(each.segment, each.symbol, has_derivatives=each.has_derivatives)


def filled(order: BrokerOrder) -> BrokerOrder:
    return replace(
        order, state=BrokerState.FILLED, status="TRADED", filled_quantity=order.quantity, average_price=Decimal(100)
    )


def the_moments(count: int, chance: random.Random) -> list[datetime]:
    """So many alerts over the year, at any second and more often near a boundary."""

    def one() -> datetime:
        day = FIRST + timedelta(days=chance.randrange((LAST - FIRST).days + 1))
        if chance.random() < 0.4:
            near = india(day, f"{chance.choice(BOUNDARIES)}:00")
            return near + timedelta(seconds=chance.choice((-2.1, -2, -1, -0.001, 0, 0.001, 1, 30)))
        return india(day, "00:00:00") + timedelta(seconds=chance.uniform(0, 86_399))

    return sorted(one() for _ in range(count))


def every(minutes: int, chance: random.Random) -> Iterator[datetime]:
    """One alert in so many minutes, day and night, at any second of its minute."""
    start, days = india(FIRST, "00:00:00"), (LAST - FIRST).days + 1
    for minute in range(0, days * 24 * 60, minutes):
        yield start + timedelta(minutes=minute, seconds=chance.uniform(0, 60))
