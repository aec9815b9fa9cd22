"""Crowds of messages: told in one, none lost, and every order as it stands at the end."""

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core import loudness, notifications, summaries
from core.clock import SystemClock
from core.db.engine import Database
from core.db.tables import outbox
from core.domain.notice import Loudness, Loudnesses, Notice, Topic
from core.engine.relay import Relay
from core.errors import TelegramUnavailable
from core.notifications import LONGEST_WAIT, Card, Message
from core.reports import AlertReport
from tests.builders import NOON, FrozenClock, an_order
from tests.unit.engine.rows import OPERATOR


class Chat:
    """Notes what comes; while `is_away` nothing does."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.is_away = False

    async def show_card(self, card: Card, report: AlertReport) -> int:  # noqa: ARG002
        return 1

    async def ring(self, message: Message) -> int:
        if self.is_away:
            raise TelegramUnavailable("away")
        self.got.append(message)
        return len(self.got)


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def relay(database: Database, chat: Chat) -> Iterator[Relay]:
    return Relay(database=database, messenger=chat, clock=FrozenClock())


def fill(database: Database, count: int, kind: Notice = Notice.FILLED, **values: Any) -> list[str]:
    """Orders of which something is told; their labels."""
    with database.transaction() as connection:
        orders = [an_order(connection, **values) for _ in range(count)]
        for order in orders:
            notifications.ring_order(connection, kind, order, at=NOON, words="So it went.")
        return [order.label for order in orders]


def rows(database: Database) -> list[Any]:
    with database.snapshot() as connection:
        return list(connection.execute(select(outbox).order_by(outbox.c.id)))


def time_passes(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(update(outbox).where(outbox.c.not_before.is_not(None)).values(not_before=NOON))


async def drain(relay: Relay) -> None:
    while await relay.deliver_due():
        pass


async def test_a_few_messages_come_one_by_one(database: Database, relay: Relay, chat: Chat) -> None:
    fill(database, summaries.MOST_ALONE)
    await drain(relay)
    assert [message.kind for message in chat.got] == [Notice.FILLED] * summaries.MOST_ALONE


async def test_fifty_become_one_that_names_them_all(database: Database, relay: Relay, chat: Chat) -> None:
    labels = fill(database, 50)
    await drain(relay)
    [summary] = chat.got
    assert [row["order"] for row in summary.payload["rows"]] == labels
    assert summary.payload["messages"] == 50


@pytest.mark.parametrize(("ahead", "crowded"), [(timedelta(days=3650), [OPERATOR]), (LONGEST_WAIT, [])])
def test_a_crowd_that_was_put_off_by_a_clock_that_was_ahead_is_told_once_it_is_set_back(
    database: Database, ahead: timedelta, crowded: list[int]
) -> None:
    fill(database, 20)
    with database.transaction() as connection:
        connection.execute(update(outbox).values(not_before=NOON + ahead))
        assert summaries.crowded(connection, NOON) == crowded


async def test_each_message_that_was_folded_says_where_it_was_told(
    database: Database, relay: Relay, chat: Chat
) -> None:
    fill(database, 20)
    await drain(relay)
    *folded, summary = rows(database)
    assert {row.told_in for row in folded} == {summary.id}
    assert {(row.due_at, row.sent_at) for row in folded} == {(None, None)}
    assert summary.sent_at is not None
    assert len(chat.got) == 1


async def test_of_an_order_only_what_was_said_last_is_told(database: Database, relay: Relay, chat: Chat) -> None:
    with database.transaction() as connection:
        order = an_order(connection)
        for kind in (Notice.UNKNOWN, Notice.FOUND, Notice.PART_FILLED, Notice.FILLED):
            notifications.ring_order(connection, kind, order, at=NOON, words="So it went.")
    fill(database, 4, Notice.REJECTED)
    await drain(relay)
    [summary] = chat.got
    told = [row["kind"] for row in summary.payload["rows"] if row["order"] == order.label]
    assert told == [Notice.FILLED]


@pytest.mark.parametrize("count", [120, 2 * summaries.MOST_AT_A_TIME, 2 * summaries.MOST_AT_A_TIME + 70])
async def test_more_than_one_message_holds_become_as_few_as_hold_them(
    database: Database, relay: Relay, chat: Chat, count: int
) -> None:
    labels = fill(database, count)
    await drain(relay)
    full, rest = divmod(count, summaries.MOST_IN_ONE)
    assert [len(message.payload["rows"]) for message in chat.got] == [50] * full + [rest] * bool(rest)
    assert [row["order"] for message in chat.got for row in message.payload["rows"]] == labels
    assert sum(message.payload["messages"] for message in chat.got) == count


async def test_an_hour_without_telegram_ends_in_one_message(database: Database, relay: Relay, chat: Chat) -> None:
    chat.is_away = True
    labels: list[str] = []
    for _ in range(6):
        labels += fill(database, 8)
        await relay.deliver_due()
        time_passes(database)
        relay._gathers_until.clear()
    chat.is_away = False
    await drain(relay)
    [summary] = chat.got
    assert sorted(row["order"] for row in summary.payload["rows"]) == sorted(labels)
    assert summary.payload["messages"] == 48
    assert not [row.id for row in rows(database) if row.sent_at is None and row.told_in is None]


async def test_what_follows_a_summary_gathers_for_a_moment(database: Database, relay: Relay, chat: Chat) -> None:
    fill(database, 10)
    await drain(relay)
    fill(database, 2)
    await drain(relay)
    assert len(chat.got) == 1
    relay._gathers_until[OPERATOR] = SystemClock().now() - timedelta(seconds=1)
    await drain(relay)
    assert [message.kind for message in chat.got[1:]] == [Notice.FILLED] * 2


async def test_a_link_to_sign_in_is_never_folded_nor_kept_waiting(database: Database, relay: Relay, chat: Chat) -> None:
    fill(database, 10)
    await drain(relay)
    with database.transaction() as connection:
        notifications.ring(connection, Notice.SIGN_IN, at=NOON, words="Sign in.", login=None)
    await drain(relay)
    assert [message.kind for message in chat.got] == [Notice.SUMMARY, Notice.SIGN_IN]


def wish(database: Database, wished: Loudnesses) -> None:
    with database.transaction() as connection:
        loudness.save(connection, OPERATOR, wished, at=NOON, actor="test", words="")


async def test_what_its_reader_turned_off_is_kept_and_not_sent(database: Database, relay: Relay, chat: Chat) -> None:
    wish(database, Loudnesses().wish(Topic.CANCELLED, Loudness.OFF))
    fill(database, 1, Notice.CANCELLED)
    await drain(relay)
    assert chat.got == []
    [kept] = rows(database)
    assert kept.left_out == notifications.TURNED_OFF
    assert kept.sent_at is None


async def test_silence_is_asked_for_when_it_is_sent_not_when_it_happened(
    database: Database, relay: Relay, chat: Chat
) -> None:
    fill(database, 1)
    wish(database, Loudnesses(quiet=(time(11), time(13))))
    await drain(relay)
    assert [message.is_silent for message in chat.got] == [True]


async def test_a_summary_rings_when_anything_in_it_would(database: Database, relay: Relay, chat: Chat) -> None:
    wish(database, Loudnesses(quiet=(time(11), time(13))))
    fill(database, 9)
    fill(database, 1, Notice.UNKNOWN)
    await drain(relay)
    assert [message.is_silent for message in chat.got] == [False]
