"""What is owed to the operators' chats: cards that are behind, and messages that have not gone out."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from core import journal, notifications
from core.db import alerts
from core.db.tables import cards, operators, outbox
from core.domain.notice import Notice
from core.notifications import LONGEST_WAIT, Card, Message
from tests.builders import NOON, FrozenClock, an_alert, an_order


@pytest.fixture
def connection(connection: Connection) -> Connection:
    notifications.enrol(connection, [(1, "admin"), (2, "viewer")])
    return connection


def due_cards(connection: Connection, clock: FrozenClock) -> list[Card]:
    return notifications.due_cards(connection, clock.now(), 20)


def due_messages(connection: Connection, clock: FrozenClock) -> list[Message]:
    return notifications.due_messages(connection, clock.now(), 20)


def a_card(connection: Connection, clock: FrozenClock) -> Card:
    """A new alert's card in the first operator's chat."""
    alert = an_alert(connection)
    notifications.open_cards(connection, alert.id, clock.now())
    return next(card for card in due_cards(connection, clock) if (card.alert_id, card.chat_id) == (alert.id, 1))


def show(connection: Connection, card: Card, version: int) -> None:
    notifications.card_shown(connection, card, 500, version)


def version_of(connection: Connection, card: Card) -> int:
    alert = alerts.get(connection, card.alert_id)
    assert alert
    return alert.card_version


def change(connection: Connection, card: Card, clock: FrozenClock) -> None:
    journal.append(
        connection, journal.Event(at=clock.now(), alert_id=card.alert_id, actor=journal.DESK, kind="something")
    )


def test_what_was_put_off_while_the_clock_was_ahead_comes_once_it_is_set_back(
    connection: Connection, clock: FrozenClock
) -> None:
    card = a_card(connection, clock)
    notifications.ring(connection, Notice.HELD, at=NOON, words="Held.")
    years_ahead = NOON + timedelta(days=3650)
    notifications.put_off(connection, card, years_ahead + LONGEST_WAIT)
    assert [owed.id for owed in due_cards(connection, clock)][:1] == [card.id]
    assert [owed.chat_id for owed in due_messages(connection, clock)] == [1, 2]


def test_what_was_put_off_for_as_long_as_may_be_waits_until_then(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    notifications.ring(connection, Notice.HELD, at=NOON, words="Held.")
    notifications.put_off(connection, card, NOON + LONGEST_WAIT)
    assert {owed.chat_id for owed in due_cards(connection, clock)} == {2}
    assert [owed.chat_id for owed in due_messages(connection, clock)] == [2]
    clock.advance(LONGEST_WAIT)
    assert {owed.chat_id for owed in due_cards(connection, clock)} == {1, 2}
    assert [owed.chat_id for owed in due_messages(connection, clock)] == [1, 2]


def test_every_operator_is_owed_a_card_of_a_new_alert(connection: Connection, clock: FrozenClock) -> None:
    notifications.open_cards(connection, an_alert(connection).id, NOON)
    owed = due_cards(connection, clock)
    assert [(card.chat_id, card.message_id) for card in owed] == [(1, None), (2, None)]
    assert len({card.nonce for card in owed}) == 2


def test_a_card_that_shows_the_latest_version_is_owed_no_more(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    show(connection, card, version_of(connection, card))
    assert card.id not in [owed.id for owed in due_cards(connection, clock)]


def test_a_card_that_changed_while_it_was_shown_stays_owed(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    shown = version_of(connection, card)
    change(connection, card, clock)
    show(connection, card, shown)
    [again] = [owed for owed in due_cards(connection, clock) if owed.id == card.id]
    assert again.message_id == 500
    show(connection, again, version_of(connection, card))
    assert card.id not in [owed.id for owed in due_cards(connection, clock)]


def test_a_card_is_owed_again_after_the_next_change(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    show(connection, card, version_of(connection, card))
    change(connection, card, clock)
    assert card.id in [owed.id for owed in due_cards(connection, clock)]


def test_a_card_that_is_drawn_again_keeps_its_buttons_good(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    version = version_of(connection, card)
    show(connection, card, version)
    journal.redraw_cards(connection, card.alert_id, clock.now())
    assert version_of(connection, card) == version
    assert card.id in [owed.id for owed in due_cards(connection, clock)]
    show(connection, card, version)
    assert card.id not in [owed.id for owed in due_cards(connection, clock)]


def test_a_card_that_keeps_changing_keeps_its_place_in_the_line(connection: Connection, clock: FrozenClock) -> None:
    first = a_card(connection, clock)
    clock.advance(1)
    second = a_card(connection, clock)
    clock.advance(1)
    change(connection, first, clock)
    assert [owed.id for owed in due_cards(connection, clock) if owed.id in (first.id, second.id)] == [
        first.id,
        second.id,
    ]


def test_what_was_put_off_is_left_alone_until_then(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    notifications.ring(connection, Notice.HELD, at=NOON)
    message = due_messages(connection, clock)[0]
    for owed in (card, message):
        notifications.put_off(connection, owed, clock.now() + timedelta(seconds=30))
    clock.advance(29.9)
    assert card.id not in [owed.id for owed in due_cards(connection, clock)]
    assert message.id not in [owed.id for owed in due_messages(connection, clock)]
    clock.advance(0.1)
    [card_again] = [owed for owed in due_cards(connection, clock) if owed.id == card.id]
    [message_again] = [owed for owed in due_messages(connection, clock) if owed.id == message.id]
    assert (card_again.failures, message_again.failures) == (1, 1)


def test_a_card_that_was_put_off_is_not_hurried_by_a_change(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    notifications.put_off(connection, card, clock.now() + timedelta(seconds=30))
    change(connection, card, clock)
    assert card.id not in [owed.id for owed in due_cards(connection, clock)]


def test_messages_go_out_in_the_order_they_were_written_and_once(connection: Connection, clock: FrozenClock) -> None:
    for kind in (Notice.FILLED, Notice.CANCELLED):
        notifications.ring(connection, kind, at=NOON)
    owed = due_messages(connection, clock)
    assert [(message.kind, message.chat_id) for message in owed] == [
        (Notice.FILLED, 1),
        (Notice.FILLED, 2),
        (Notice.CANCELLED, 1),
        (Notice.CANCELLED, 2),
    ]
    notifications.message_sent(connection, owed[0], 700, NOON)
    assert [message.id for message in due_messages(connection, clock)] == [message.id for message in owed[1:]]


def test_a_message_about_an_order_carries_facts_and_no_rounding(connection: Connection, clock: FrozenClock) -> None:
    order = an_order(connection, filled_quantity=3)
    notifications.ring_order(connection, Notice.PART_FILLED, order, at=NOON, words="Three of ten.")
    message = due_messages(connection, clock)[0]
    assert message.alert_id == order.alert_id
    assert message.payload == {
        "order": order.label,
        "side": "BUY",
        "quantity": 10,
        "filled": 3,
        "average": None,
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "words": "Three of ten.",
    }


def test_a_desk_that_restarts_in_a_loop_knows_that_it_rang(connection: Connection, clock: FrozenClock) -> None:
    assert not notifications.rang_lately(connection, Notice.DESK_STARTED, clock.now())
    notifications.ring(connection, Notice.DESK_STARTED, at=NOON)
    clock.advance(59)
    assert notifications.rang_lately(connection, Notice.DESK_STARTED, clock.now())
    assert not notifications.rang_lately(connection, Notice.HELD, clock.now())
    clock.advance(1)
    assert not notifications.rang_lately(connection, Notice.DESK_STARTED, clock.now())


def test_a_card_is_found_by_its_own_word_only(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    assert notifications.find_card(connection, card.nonce) == card
    assert notifications.find_card(connection, card.nonce[:-1]) is None


def test_the_settings_operators_are_the_ones_who_are_told(connection: Connection) -> None:
    notifications.enrol(connection, [(2, "admin"), (3, "approver")])
    rows = connection.execute(select(operators).order_by(operators.c.user_id)).all()
    assert [(row.user_id, row.chat_id, row.role) for row in rows] == [(2, 2, "admin"), (3, 3, "approver")]
    assert sorted(notifications.chats(connection)) == [2, 3]
    notifications.enrol(connection, [])
    assert notifications.chats(connection) == []


def test_an_operator_who_was_taken_off_the_list_is_told_no_more(connection: Connection, clock: FrozenClock) -> None:
    card = a_card(connection, clock)
    notifications.ring(connection, Notice.HELD, at=NOON)
    notifications.enrol(connection, [(2, "admin")])
    change(connection, card, clock)
    assert {owed.chat_id for owed in due_cards(connection, clock)} == {2}
    assert {owed.chat_id for owed in due_messages(connection, clock)} == {2}


def test_nobody_on_the_list_means_nothing_is_owed(connection: Connection) -> None:
    notifications.enrol(connection, [])
    notifications.open_cards(connection, an_alert(connection).id, NOON)
    notifications.ring(connection, Notice.HELD, at=NOON)
    assert connection.execute(select(cards.c.id)).all() == []
    assert connection.execute(select(outbox.c.id)).all() == []
