"""Carrying cards and messages to chats: at least once, in order, and at Telegram's pace."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Connection, select, update

from core import failpoints, journal, notifications
from core.clock import SystemClock
from core.db import leases
from core.db.engine import Database
from core.db.tables import cards, outbox
from core.domain.notice import Notice
from core.engine.pace import Pace
from core.engine.relay import Relay
from core.engine.rules import LeaseLost
from core.errors import TelegramUnavailable
from core.failpoints import Point
from core.notifications import LONGEST_WAIT, Card, ChatUnreachable, Message, MessageRefused
from core.reports import AlertReport, Offers
from tests.builders import NOON, FrozenClock, an_order
from tests.unit.engine.rows import OPERATOR

OTHER = 43


class PulledPlug(Exception):
    """The process ends here."""


class Recorder:
    """Chats that note what they get.

    `trouble` by chat is raised instead; what is `refused` is not taken, and over `bugs` we stumble.
    """

    def __init__(self) -> None:
        self.shown: list[tuple[int, int, int | None, int]] = []
        self.rung: list[tuple[int, str]] = []
        self.calls: list[int] = []
        self.trouble: dict[int, Exception] = {}
        self.refused: set[int | str] = set()
        self.bugs: set[int | str] = set()

    async def show_card(self, card: Card, report: AlertReport) -> int:
        self._meet(card.chat_id, card.alert_id)
        self.shown.append((card.chat_id, card.alert_id, card.message_id, report.alert.card_version))
        return card.message_id or 100 + len(self.shown)

    async def ring(self, message: Message) -> int:
        self._meet(message.chat_id, str(message.payload["words"]))
        self.rung.append((message.chat_id, str(message.payload["words"])))
        return 200 + len(self.rung)

    def _meet(self, chat_id: int, what: int | str) -> None:
        self.calls.append(chat_id)
        if what in self.bugs:
            raise ZeroDivisionError
        if what in self.refused:
            raise MessageRefused("can't parse entities")
        if chat_id in self.trouble:
            raise self.trouble[chat_id]


@pytest.fixture
def chats() -> Recorder:
    return Recorder()


@pytest.fixture
def relay(database: Database, chats: Recorder) -> Relay:
    with database.transaction() as connection:
        notifications.enrol(connection, [(OPERATOR, "admin"), (OTHER, "admin")])
    seconds = count()
    pace = Pace(clock=lambda: float(next(seconds)))  # as if each message took a second
    return Relay(database=database, messenger=chats, clock=FrozenClock(), pace=pace)


def owe_card(database: Database) -> int:
    with database.transaction() as connection:
        order = an_order(connection)
        notifications.open_cards(connection, order.alert_id, NOON)
        return order.alert_id


def owe(database: Database, *words: str, kind: Notice = Notice.HELD) -> None:
    with database.transaction() as connection:
        for text in words:
            notifications.ring(connection, kind, at=NOON, words=text)


def waits(database: Database) -> dict[int, float]:
    """Seconds from now until something may be sent to each chat that was put off."""
    now = SystemClock().now()
    with database.snapshot() as connection:
        rows = [
            *connection.execute(select(cards.c.chat_id, cards.c.not_before).where(cards.c.not_before.is_not(None))),
            *connection.execute(select(outbox.c.chat_id, outbox.c.not_before).where(outbox.c.not_before.is_not(None))),
        ]
    return {chat: (until - now).total_seconds() for chat, until in rows}


def let_time_pass(database: Database, to: datetime | None = None) -> None:
    """Whatever was put off may be tried again."""
    with database.transaction() as connection:
        for table in (cards, outbox):
            connection.execute(update(table).where(table.c.not_before.is_not(None)).values(not_before=to or NOON))


async def drain(relay: Relay) -> None:
    for _ in range(50):
        if not await relay.deliver_due():
            return
    raise AssertionError("the relay always has more")


async def test_a_card_is_sent_to_every_operator_and_only_once(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    alert_id = owe_card(database)
    await drain(relay)
    assert [(chat, alert, message) for chat, alert, message, _ in chats.shown] == [
        (OPERATOR, alert_id, None),
        (OTHER, alert_id, None),
    ]


async def test_a_desk_that_another_one_followed_tells_nothing_any_more(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    owe_card(database)
    with database.transaction() as connection:
        epochs = [
            leases.acquire(connection, holder=name, nudge_port=1, at=at)
            for name, at in (("first", NOON), ("second", NOON + timedelta(minutes=1)))
        ]
    first, second = epochs
    assert first
    assert second
    with pytest.raises(LeaseLost):
        await relay.deliver_due(first)
    assert chats.calls == []
    await relay.deliver_due(second)
    assert chats.calls == [OPERATOR, OTHER]


async def test_what_we_cannot_put_into_words_waits_alone_and_stops_nothing(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    bad, good = owe_card(database), owe_card(database)
    owe(database, "unspeakable", "said")
    chats.bugs = {bad, "unspeakable"}
    await drain(relay)
    assert [(chat, alert) for chat, alert, *_ in chats.shown] == [(OPERATOR, good), (OTHER, good)]
    assert chats.rung == [(OPERATOR, "said"), (OTHER, "said")]
    chats.bugs = set()
    let_time_pass(database)
    await drain(relay)
    assert [(chat, alert) for chat, alert, *_ in chats.shown[2:]] == [(OPERATOR, bad), (OTHER, bad)]
    assert chats.rung[2:] == [(OPERATOR, "unspeakable"), (OTHER, "unspeakable")]


async def test_a_card_whose_offers_cannot_be_found_is_shown_without_them(database: Database, chats: Recorder) -> None:
    def offers(_connection: Connection, report: AlertReport) -> Offers:
        raise KeyError(report.alert.id)

    relay = Relay(database=database, messenger=chats, clock=FrozenClock(), offers=offers)
    with database.transaction() as connection:
        notifications.enrol(connection, [(OPERATOR, "admin")])
    alert_id = owe_card(database)
    await drain(relay)
    assert [(chat, alert) for chat, alert, *_ in chats.shown] == [(OPERATOR, alert_id)]


async def test_a_card_that_changed_is_edited_where_it_stands(database: Database, relay: Relay, chats: Recorder) -> None:
    alert_id = owe_card(database)
    await drain(relay)
    with database.transaction() as connection:
        journal.touch_cards(connection, alert_id, NOON)
    await drain(relay)
    first, second = [shown for shown in chats.shown if shown[0] == OPERATOR]
    assert second[2] == 101
    assert second[3] == first[3] + 1


async def test_a_card_that_changes_while_it_is_sent_is_shown_again(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    alert_id = owe_card(database)

    def change_once(point: Point) -> None:
        if point is Point.MESSAGE_SENT:
            failpoints.install(lambda _point: None)
            with database.transaction() as connection:
                journal.touch_cards(connection, alert_id, NOON)

    failpoints.install(change_once)
    await drain(relay)
    assert max(version for chat, _, _, version in chats.shown if chat == OPERATOR) == chats.shown[0][3] + 1


async def test_messages_ring_in_their_order_after_the_cards(database: Database, relay: Relay, chats: Recorder) -> None:
    owe(database, "first", "second")
    owe_card(database)
    await drain(relay)
    assert len(chats.shown) == 2
    assert [words for chat, words in chats.rung if chat == OPERATOR] == ["first", "second"]
    assert not await relay.deliver_due()


async def test_a_chat_that_blocked_the_bot_does_not_hold_up_the_others(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.trouble[OPERATOR] = ChatUnreachable("bot was blocked by the user")
    owe_card(database)
    owe(database, "news")
    await relay.deliver_due()
    assert {chat for chat, *_ in chats.shown} == {chat for chat, _ in chats.rung} == {OTHER}
    assert waits(database) == {OPERATOR: pytest.approx(600, abs=5)}


async def test_a_message_that_telegram_refuses_does_not_silence_its_chat(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.refused = {owe_card(database), "too odd"}
    owe(database, "too odd", "news")
    good = owe_card(database)
    await drain(relay)
    assert {alert for _, alert, *_ in chats.shown} == {good}
    assert {words for _, words in chats.rung} == {"news"}
    chats.refused = set()
    let_time_pass(database)
    await drain(relay)
    assert len(chats.shown) == len(chats.rung) == 4


async def test_telegrams_own_wish_is_obeyed_to_the_second(database: Database, relay: Relay, chats: Recorder) -> None:
    chats.trouble[OPERATOR] = TelegramUnavailable("Telegram asks for a pause", 33)
    owe_card(database)
    await relay.deliver_due()
    assert waits(database) == {OPERATOR: pytest.approx(33, abs=2)}


async def test_while_telegram_asks_for_a_pause_nothing_else_goes_to_that_chat(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.trouble[OPERATOR] = TelegramUnavailable("Telegram asks for a pause", 33)
    owe(database, "first", "second")
    await relay.deliver_due()
    await relay.deliver_due()
    assert chats.calls.count(OPERATOR) == 1


async def test_a_message_that_failed_is_not_overtaken_by_the_next(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.trouble[OPERATOR] = TelegramUnavailable("NetworkError")
    owe(database, "first", "second")
    await relay.deliver_due()
    chats.trouble.clear()
    await relay.deliver_due()
    let_time_pass(database)
    await drain(relay)
    assert [words for chat, words in chats.rung if chat == OPERATOR] == ["first", "second"]


async def test_without_an_answer_each_wait_is_longer_up_to_a_minute(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.trouble = dict.fromkeys((OPERATOR, OTHER), TelegramUnavailable("NetworkError"))
    owe(database, "news")
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        before = SystemClock().now()
        await relay.deliver_due()
        left = waits(database)[OPERATOR]
        assert seconds - (SystemClock().now() - before).total_seconds() <= left <= seconds
        let_time_pass(database)


async def test_nothing_is_dropped_however_long_telegram_is_away(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    chats.trouble = dict.fromkeys((OPERATOR, OTHER), TelegramUnavailable("NetworkError"))
    owe_card(database)
    owe(database, "news")
    for _ in range(20):
        await relay.deliver_due()
        let_time_pass(database)
    chats.trouble.clear()
    await drain(relay)
    assert len(chats.shown) == len(chats.rung) == 2


async def test_what_was_put_off_waits(database: Database, relay: Relay, chats: Recorder) -> None:
    owe(database, "news")
    let_time_pass(database)
    with database.transaction() as connection:
        connection.execute(update(outbox).values(not_before=SystemClock().now() + timedelta(minutes=1)))
    assert not await relay.deliver_due()
    assert chats.calls == []


@pytest.mark.parametrize("point", [Point.BEFORE_MESSAGE, Point.MESSAGE_SENT])
async def test_a_crash_before_the_mark_repeats_the_same_card(
    database: Database, relay: Relay, chats: Recorder, point: Point
) -> None:
    owe_card(database)

    def pull_the_plug(reached: Point) -> None:
        if reached is point:
            raise PulledPlug

    failpoints.install(pull_the_plug)
    with pytest.raises(PulledPlug):
        await relay.deliver_due()
    failpoints.install(lambda _point: None)
    await drain(relay)
    mine = [shown for shown in chats.shown if shown[0] == OPERATOR]
    assert len(mine) == (2 if point is Point.MESSAGE_SENT else 1)
    assert len(set(mine)) == 1


async def test_more_than_one_portion_is_delivered_in_one_go(database: Database, relay: Relay, chats: Recorder) -> None:
    owe(database, *(f"news {number}" for number in range(30)), kind=Notice.SIGN_IN)
    await drain(relay)
    assert [words for chat, words in chats.rung if chat == OTHER] == [f"news {number}" for number in range(30)]


async def test_a_wish_of_telegram_is_kept_to_for_no_longer_than_anything_is_put_off(
    database: Database, relay: Relay, chats: Recorder
) -> None:
    owe(database, "Held.")
    chats.trouble[OPERATOR] = TelegramUnavailable("Too Many Requests", retry_after=86_400)
    await relay.deliver_due()
    assert waits(database) == {OPERATOR: pytest.approx(LONGEST_WAIT.total_seconds(), abs=5)}
