"""300 alerts in a minute: no message is lost, what asks goes first, and Telegram's limits are never met."""

from datetime import timedelta

from sqlalchemy import Connection

from core import notifications
from core.db.engine import Database
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.engine.pace import A_MINUTE_IN_A_GROUP, A_SECOND, Pace
from core.engine.relay import Relay
from core.notifications import Card, Message
from core.reports import AlertReport, Offers
from core.sandbox.telegram.floods import FloodGate
from tests.builders import NOON, FrozenClock, an_order
from tests.unit.engine.rows import OPERATOR


def paced(clock: FrozenClock) -> Pace:
    def seconds() -> float:
        return clock.now().timestamp()

    return Pace(clock=seconds)


class Telegram:
    """A chat behind the stand-in's own gate, which raises when it is flooded."""

    def __init__(self, clock: FrozenClock) -> None:
        self._gate = FloodGate(clock)
        self.cards: list[int] = []
        self.rung: list[str] = []

    async def show_card(self, card: Card, report: AlertReport) -> int:
        self._gate.pass_through(card.chat_id)
        self.cards.append(report.alert.id)
        return len(self.cards)

    async def ring(self, message: Message) -> int:
        self._gate.pass_through(message.chat_id)
        rows = message.payload["rows"] if message.kind is Notice.SUMMARY else [message.payload]
        self.rung += [str(row["words"]) for row in rows]
        return 1000 + len(self.rung)


async def test_of_300_alerts_in_a_minute_those_that_ask_go_first_and_none_is_lost(database: Database) -> None:
    clock = FrozenClock()
    telegram = Telegram(clock)
    pace = paced(clock)
    relay = Relay(database=database, messenger=telegram, clock=clock, pace=pace)
    asking: set[int] = set()
    with database.transaction() as connection:
        notifications.enrol(connection, [(OPERATOR, "admin")])
        for number in range(300):
            state = OrderState.AWAITING_APPROVAL if number % 10 == 9 else OrderState.FILLED
            order = an_order(connection, state=state)
            asking |= {order.alert_id} if state is OrderState.AWAITING_APPROVAL else set()
            notifications.open_cards(connection, order.alert_id, NOON + timedelta(milliseconds=number))
            notifications.ring(connection, Notice.HELD, at=NOON, words=f"news {number}")
    for _ in range(300):
        await relay.deliver_due()
        clock.advance(0.25)
    assert set(telegram.cards[:30]) == asking
    assert sorted(telegram.cards) == sorted(set(telegram.cards))
    assert len(telegram.cards) == 300
    assert telegram.rung == [f"news {number}" for number in range(300)]


async def test_nothing_is_prepared_that_its_chat_does_not_take_now(database: Database) -> None:
    clock = FrozenClock()
    prepared: list[int] = []

    def offers(_connection: Connection, report: AlertReport) -> Offers:
        prepared.append(report.alert.id)
        return Offers()

    relay = Relay(database=database, messenger=Telegram(clock), clock=clock, offers=offers, pace=paced(clock))
    with database.transaction() as connection:
        notifications.enrol(connection, [(OPERATOR, "admin")])
        for _ in range(A_SECOND + 4):
            notifications.open_cards(connection, an_order(connection).alert_id, NOON)
    for _ in range(5):
        await relay.deliver_due()

    assert len(prepared) == A_SECOND

    clock.advance(1)
    await relay.deliver_due()
    assert len(prepared) == A_SECOND + 4


def test_a_group_gets_fewer_a_minute_and_holds_up_nobody_else() -> None:
    clock = FrozenClock()
    pace = paced(clock)
    for chat, most in ((-100, A_MINUTE_IN_A_GROUP), (42, A_SECOND)):
        for _ in range(most):
            assert pace.room(chat)
            pace.note(chat)
    assert pace.full() == {-100, 42}
    clock.advance(1)
    assert pace.full() == {-100}
    clock.advance(59)
    assert pace.full() == set()
