"""The operator in the chat: taps, commands, and everybody who is not the operator."""

import pytest

from bot.commands import BY_NAME
from tests.world import World
from tests.world.phone import OPERATOR

SATURDAY = "2026-11-28T14:00"
STRANGER, GROUP, CHANNEL = 7, -100, -200


def waiting_alert(world: World) -> int:
    world.jump(SATURDAY)
    alert = world.fire()["alert_id"]
    world.phone.card_shows(alert, "Waiting for your tap")
    world.until(lambda: not world.health()["oldest_unsent_message"], "the desk knows which message the card is")
    return alert


def test_a_cancelled_order_is_never_sent(world: World) -> None:
    alert = waiting_alert(world)
    assert world.phone.tap(alert, "Cancel") == "Cancelled"
    card = world.phone.card_shows(alert, "Cancelled before it was sent")
    assert card.buttons == {}
    world.jump("2026-11-30T17:00:01")
    next_one = world.fire()["alert_id"]
    world.phone.card_shows(next_one, "Placed at Dhan")
    assert len(world.ledger()) == 1, "only the one fired afterwards"
    world.jump("2026-12-01T09:45:01")
    world.phone.card_shows(next_one, "Filled")


def test_an_approved_order_can_still_be_cancelled_while_it_waits(world: World) -> None:
    alert = waiting_alert(world)
    world.phone.tap(alert, "Approve")
    world.phone.card_shows(alert, "Queued")
    assert world.phone.tap(alert, "Cancel") == "Cancelled"
    world.phone.card_shows(alert, "Cancelled before it was sent")
    assert world.placements() == 0


@pytest.mark.fault("TG-04", "TG-05", "OP-03")
def test_a_second_tap_and_a_tap_on_an_old_card_are_told_so_and_change_nothing(world: World) -> None:
    alert = waiting_alert(world)
    card = world.phone.card(alert)
    assert card
    approve, cancel = card.buttons["Approve"], card.buttons["Cancel"]
    taps = [world.phone.touch(card.message_id, data) for data in (approve, approve, cancel)]
    answers = [world.phone.answer_to(tap) for tap in taps]
    assert sum(answer in ("Approved", "Cancelled") for answer in answers) == 1, answers
    assert sum("This card has changed since" in answer for answer in answers) == 2, answers
    if "Approved" in answers:
        world.until(lambda: world.phone.tap(alert, "Cancel") == "Cancelled", "the newest card can be cancelled")
    world.phone.card_shows(alert, "Cancelled before it was sent")
    assert world.placements() == 0


@pytest.mark.fault("TG-08", "TG-09")
def test_a_button_works_only_below_its_own_card(world: World) -> None:
    alert = waiting_alert(world)
    card = world.phone.card(alert)
    assert card
    copy = world.phone.act(text="a copy of the card")["message"]["message_id"]
    for message, data in ((copy, card.buttons["Approve"]), (card.message_id, "approve:guessed:1")):
        answer = world.phone.answer_to(world.phone.touch(message, data))
        assert answer == "This card is out of date; look at the newest one."
    world.phone.tap(alert, "Cancel")
    world.phone.card_shows(alert, "Cancelled before it was sent")


@pytest.mark.fault("TG-06", "TG-07", "TG-10")
def test_strangers_groups_channels_and_edits_have_no_effect_and_get_no_answer(world: World) -> None:
    alert = waiting_alert(world)
    card = world.phone.card(alert)
    assert card
    approve = card.buttons["Approve"]
    mine = world.phone.act(text="not a command")["message"]["message_id"]
    theirs = world.phone.act(text="/pause", user_id=STRANGER)["message"]["message_id"]
    in_group = world.phone.act(text="/pause", chat_id=GROUP)["message"]["message_id"]
    world.phone.act(kind="channel_post", text="/pause", chat_id=CHANNEL)
    world.phone.act(kind="edited_message", message_id=mine, text="/pause")
    taps = [
        world.phone.touch(card.message_id, approve, user_id=STRANGER, chat_id=OPERATOR),
        world.phone.touch(theirs, approve, user_id=STRANGER),
        world.phone.touch(in_group, approve, chat_id=GROUP),
        world.phone.touch(theirs, approve, chat_id=STRANGER),
    ]
    assert world.phone.ask("/status", "Orders go out"), "asked last, so answered after all the others"
    assert [message for chat in (STRANGER, GROUP, CHANNEL) for message in world.phone.messages(chat)] == []
    assert not any(world.phone.was_answered(tap) for tap in taps)
    assert world.health()["holds"] == {}
    world.phone.card_shows(alert, "Waiting for your tap")
    world.phone.tap(alert, "Cancel")
    world.phone.card_shows(alert, "Cancelled before it was sent")


def test_pause_holds_orders_and_says_why_and_resume_lets_them_go(world: World) -> None:
    assert (
        world.phone.ask("/pause", "Paused: nothing is sent until /resume.") == "Paused: nothing is sent until /resume."
    )
    answer = world.fire()
    assert answer["order_status"] == "held"
    assert f"Paused by operator {OPERATOR}." in answer["message"]
    world.phone.card_shows(answer["alert_id"], "Held", f"Paused by operator {OPERATOR}.")
    assert world.phone.ask("/pause", "It was paused already.") == "It was paused already."
    assert world.placements() == 0

    assert world.phone.ask("/resume", "Orders go out again.") == "Orders go out again."
    world.phone.card_shows(answer["alert_id"], "Filled")
    assert len(world.ledger()) == 1
    world.until(lambda: world.phone.rings(answer["alert_id"]), "the fill rings")
    assert world.phone.ask("/resume", "It was not paused.") == "It was not paused."


@pytest.mark.fault("TG-02")
def test_a_command_is_answered_after_telegram_asked_for_a_pause(world: World) -> None:
    world.telegram_fault("retry_after", method="sendMessage", seconds=1)
    world.phone.ask("/status", "Orders go out")


def test_every_command_answers(world: World) -> None:
    alert = waiting_alert(world)
    world.phone.ask("/start", "I keep your order book", "Fire a paper alert")
    help_text = world.phone.ask("/help")
    for command in BY_NAME:
        assert f"/{command}" in help_text
    world.phone.ask("/status", "Waiting for your tap: 1")
    world.phone.ask("/queue", f"BUY 1 RELIANCE · {alert}.1")
    world.phone.ask("/orders", f"BUY 1 RELIANCE · {alert}.1")
    story = world.phone.ask(f"/order {alert}")
    assert "What happened" in story
    assert "Saturday" in story
    world.phone.ask(f"/order {alert}.1", f"{alert}.1")
    world.phone.ask("/token", "Signed in at Dhan by PIN and one-time code")
    world.phone.ask("/ip", "Dhan takes orders from here")
    world.phone.ask("/login", "a new sign-in ends that one")
    world.phone.tap(alert, "Cancel")
    world.phone.card_shows(alert, "Cancelled before it was sent")
    world.phone.ask("/queue", "Nothing waits")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/order", "For example: /order 41"),
        ("/order forty-one", "For example: /order 41"),
        ("/order -1", "For example: /order 41"),
        (f"/order {'9' * 40}", "For example: /order 41"),
        ("/order 999999", "There is no alert 999999."),
        ("/golive", "MUNSHI_MODE=live"),
        ("/ip set", "127.0.0.1 is registered already."),
        ("/ip set my server", "my is no address."),
        ("/fly", "/help lists them all"),
        ("pause", "/help lists them all"),
    ],
)
def test_a_command_that_cannot_be_obeyed_says_what_would_work(world: World, command: str, words: str) -> None:
    world.phone.ask(command, words)
