"""Cards in the chat: what a tap does, once, for whoever may, and never to something else than was shown."""

import asyncio

import pytest
from desk_in_chat import APPROVER, TUESDAY, Chats, a_leg

from core.domain.order import OrderState

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def waiting(chats: Chats, *legs: dict[str, str]) -> int:
    alert = await chats.fire(*legs)
    await chats.card(alert, "Waiting for your tap")
    return alert


async def test_an_edit_makes_a_new_version_and_the_old_buttons_die(chats: Chats) -> None:
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    old = await chats.card(alert, "Quantity: 10", "Price: ₹1,400.00")
    await chats.tap(old, "Edit")
    asked = await chats.newest(f"Alert {alert}: reply to this message")
    await chats.reply(asked, "quantity=5 price=1390")
    new = await chats.card(alert, "Quantity: 5", "Price: ₹1,390.00", "Edited by operator 42")
    assert "changed since" in await chats.tap(old, "Approve")
    assert await chats.tap(new, "Approve") == "Approved"
    await chats.is_in(alert, OrderState.QUEUED)
    await chats.card(alert, "Queued")
    await chats.ask(f"/modify {alert}.1 quantity=4", "Its card asks for your tap")
    await chats.is_in(alert, OrderState.AWAITING_APPROVAL)
    await chats.ask(f"/cancel {alert}")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("many", "'many' cannot be read"),
        ("quantity=0", "'quantity=0' cannot be read"),
        ("price=1400.003", "off the tick"),
        ("trigger=1300", "It is no stop order"),
        ("quantity=10", "That changes nothing"),
        ("2 quantity=5", "There is no leg 2. Leave the number out: quantity=5."),
        ("5", "Write quantity=5 (or price=…)."),
    ],
)
async def test_an_edit_that_cannot_be_says_why_and_changes_nothing(chats: Chats, reply: str, words: str) -> None:
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    await chats.tap(await chats.card(alert, "Quantity: 10"), "Edit")
    sent = await chats.reply(await chats.newest(f"Alert {alert}: reply to this message"), reply)
    await chats.answered(sent, words, "Reply with what it shall be instead of quantity=10 price=1400")
    [order] = await chats.orders(alert)
    assert (order.quantity, order.state) == (10, OrderState.AWAITING_APPROVAL)
    await chats.ask(f"/cancel {alert}")


@pytest.mark.parametrize("to", ["the question", "the mistake"])
async def test_after_a_wrong_reply_the_question_stays_open_for_one_right_one(chats: Chats, to: str) -> None:
    alert = await waiting(chats, a_leg(quantity="10"))
    await chats.tap(await chats.card(alert, "Quantity: 10"), "Edit")
    asked = await chats.newest(f"Alert {alert}: reply to this message", "quantity=10")
    for wrong in ("many", "price=1410"):
        await chats.answered(await chats.reply(asked, wrong), "Reply with what it shall be instead of quantity=10")
    told = await chats.newest("Reply with what it shall be")
    hint = told["text"].partition("Reply with")[2]
    assert "trigger" not in hint
    assert "price" not in hint
    await chats.answered(await chats.reply(asked if to == "the question" else told, "quantity=5"), "its card asks")
    assert [order.quantity for order in await chats.orders(alert)] == [5]
    await chats.answered(await chats.reply(asked, "quantity=7"), "")
    await chats.answered(await chats.reply(told, "quantity=7"), "")
    assert [order.quantity for order in await chats.orders(alert)] == [5], "one edit for one question"
    await chats.ask(f"/cancel {alert}")


async def test_the_question_for_an_edit_names_what_each_waiting_leg_has(chats: Chats) -> None:
    stop = a_leg("INFY", orderType="SL", quantity="3", price="1600", triggerPrice="1590")
    alert = await waiting(chats, a_leg(quantity="10"), stop)
    await chats.tap(await chats.card(alert, "Waiting for your tap"), "Edit")
    legs = "1 quantity=10\n2 quantity=3 price=1600 trigger=1590"
    await chats.newest(f"Alert {alert}: reply", legs, "like 2 quantity=5")
    await chats.ask(f"/cancel {alert}")


async def test_above_a_soft_limit_a_second_step_repeats_the_numbers(chats: Chats) -> None:
    await chats.ask("/limits order_value soft 5000", "Set")
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    card = await chats.card(alert, "above your soft limit")
    asked = await chats.tap(card, "Approve")
    assert "BUY 10 RELIANCE" in asked
    assert "₹14,000" in asked
    assert (await chats.orders(alert))[0].state is OrderState.AWAITING_APPROVAL
    assert await chats.tap(await chats.card(alert), "Yes, approve it") == "Approved"
    await chats.is_in(alert, OrderState.QUEUED)
    await chats.ask(f"/cancel {alert}")
    await chats.ask("/limits order_value soft off", "This lets more go without you")
    await chats.tap(await chats.newest("This lets more go"), "Yes")


async def test_a_double_tap_that_is_asked_about_is_asked_about_twice_and_nothing_fails(chats: Chats) -> None:
    await chats.ask("/limits order_value soft 5000", "Set")
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    card = await chats.card(alert, "above your soft limit")
    first, second = await asyncio.gather(chats.tap(card, "Approve"), chats.tap(card, "Approve"))
    assert first == second
    assert "BUY 10 RELIANCE" in first
    last = await chats.says(f"/cancel {alert}")
    await chats.answered(last)
    assert not [m for m in await chats.messages() if card["message_id"] < m["message_id"] < last], "no failure is told"
    await chats.ask("/limits order_value soft off", "This lets more go without you")
    await chats.tap(await chats.newest("This lets more go"), "Yes")


async def test_above_the_two_person_limit_one_yes_is_not_enough(chats: Chats) -> None:
    await chats.ask("/policy two_people 5000", "Set")
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    for _ in range(2):
        card = await chats.card(alert, "Waiting for your tap")
        assert "second approver" in await chats.tap(card, "Approve")
        await chats.card(alert, "a second approver is needed")
    theirs = await chats.card(alert, "a second approver is needed", user=APPROVER)
    assert await chats.tap(theirs, "Approve", APPROVER) == "Approved"
    await chats.is_in(alert, OrderState.QUEUED)
    await chats.ask(f"/cancel {alert}")
    await chats.ask("/policy two_people off", "This lets more go without you")
    await chats.tap(await chats.newest("This lets more go"), "Yes")


async def test_an_edit_takes_the_first_of_two_approvals_back(chats: Chats) -> None:
    await chats.ask("/policy two_people 5000", "Set")
    alert = await waiting(chats, a_leg(orderType="LMT", price="1400", quantity="10"))
    await chats.tap(await chats.card(alert), "Approve")
    await chats.ask(f"/modify {alert}.1 quantity=20", "Its card asks for your tap", user=APPROVER)
    theirs = await chats.card(alert, "Quantity: 20", user=APPROVER)
    assert "second approver" in await chats.tap(theirs, "Approve", APPROVER)
    assert (await chats.orders(alert))[0].state is OrderState.AWAITING_APPROVAL
    await chats.ask(f"/cancel {alert}")
    await chats.ask("/policy two_people off", "This lets more go without you")
    await chats.tap(await chats.newest("This lets more go"), "Yes")


async def test_one_leg_of_several_can_be_cancelled(chats: Chats) -> None:
    alert = await waiting(chats, a_leg(), a_leg("INFY"), a_leg("TCS"))
    assert await chats.tap(await chats.card(alert, "2. BUY 1 INFY"), "Cancel 2") == "Cancelled"
    assert await chats.tap(await chats.card(alert, "Cancelled before it was sent"), "Approve") == "Approved"
    states = [order.state for order in await chats.orders(alert)]
    assert states == [OrderState.QUEUED, OrderState.DECLINED, OrderState.QUEUED]
    await chats.ask(f"/cancel {alert}")


async def test_two_operators_and_a_double_tap_have_one_effect(chats: Chats) -> None:
    alert = await waiting(chats)
    mine, theirs = await chats.card(alert), await chats.card(alert, "Waiting for your tap", user=APPROVER)
    taps = [chats.tap(mine, "Approve"), chats.tap(mine, "Approve"), chats.tap(theirs, "Cancel", APPROVER)]
    answers = await asyncio.gather(*taps)
    assert sum(answer in ("Approved", "Cancelled") for answer in answers) == 1, answers
    await chats.ask(f"/cancel {alert}")


async def test_a_forwarded_card_has_no_power(chats: Chats) -> None:
    alert = await waiting(chats)
    data = (await chats.card(alert))["buttons"][0]["callback_data"]
    copy = (await chats.sandbox.act(text="a card", user_id=APPROVER, forwarded=True))["message"]
    answer = await chats.touch({"message_id": copy["message_id"], "chat_id": APPROVER}, data, APPROVER)
    assert "out of date" in answer
    assert (await chats.orders(alert))[0].state is OrderState.AWAITING_APPROVAL
    await chats.ask(f"/cancel {alert}")


async def test_details_tell_the_whole_way_to_the_fill(chats: Chats) -> None:
    chats.jump(TUESDAY)
    alert = await chats.fire()
    await chats.is_in(alert, OrderState.FILLED)
    told = await chats.ask(f"/why {alert}", "Step by step")
    for words in ("it may go without a tap", "The market is open", "the desk sent it", "Tries at Dhan", "Filled"):
        assert words in told, told


async def test_all_that_waits_is_approved_at_once_after_it_was_listed(chats: Chats) -> None:
    await chats.ask("/queue", "Nothing waits")
    alerts = [await waiting(chats, a_leg(symbol)) for symbol in ("RELIANCE", "INFY", "TCS")]
    page = await chats.newest("Nothing waits")
    await chats.ask("/queue", "Waiting", "RELIANCE")
    page = await chats.newest("Waiting", "RELIANCE")
    await chats.tap(page, "Approve all")
    question = await chats.newest("Approve all of these?")
    assert all(f"{alert}.1 BUY 1" in question["text"] for alert in alerts)
    await chats.ask(f"/cancel {alerts[1]}")
    assert (await chats.tap(question, "Yes, approve these 3")).startswith("2 orders approved; left as they are:")
    states = [(await chats.orders(alert))[0].state for alert in alerts]
    assert states == [OrderState.QUEUED, OrderState.DECLINED, OrderState.QUEUED]
    await chats.ask("/queue queued", "Waiting · queued")
    await chats.tap(await chats.newest("Waiting · queued"), "Cancel all")
    assert (
        await chats.tap(await chats.newest("Cancel all of these?"), "Yes, cancel these 2 orders")
        == "2 orders cancelled"
    )


async def test_a_yes_to_all_counts_orders_in_its_button_and_in_its_answer(chats: Chats) -> None:
    alert = await chats.fire(a_leg("RELIANCE"), a_leg("INFY"))
    await chats.ask("/queue", f"{alert}.2")
    await chats.tap(await chats.newest("Waiting", f"{alert}.2"), "Cancel all")
    question = await chats.newest("Cancel all of these?", f"{alert}.2")
    count = question["text"].count("BUY 1")
    assert await chats.tap(question, f"Yes, cancel these {count} orders") == f"{count} orders cancelled"


async def test_a_page_of_the_queue_is_turned_and_refreshed(chats: Chats) -> None:
    alerts = [await chats.fire() for _ in range(9)]
    await chats.ask("/queue asked", "page 1 of 2")
    page = await chats.newest("Waiting · asked")
    await chats.tap(page, "More")
    await chats.newest("page 2 of 2", f"{alerts[-1]}.1")
    await chats.ask("/queue RELIANCE", "Waiting · RELIANCE")
    await chats.ask("/queue NOSUCH", "Nothing waits · NOSUCH")
    for alert in alerts:
        await chats.says(f"/cancel {alert}")
    for alert in alerts:
        await chats.is_in(alert, OrderState.DECLINED)
