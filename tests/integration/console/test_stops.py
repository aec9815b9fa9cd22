"""Stopping and letting go, and the code that a lost phone does not have."""

import json

import pytest
from desk_in_chat import ADMIN, APPROVER, SATURDAY, TUESDAY, Chats, a_leg
from pyotp.totp import TOTP

from core import controls
from core.clock import SystemClock
from core.db.tables import orders, settings
from core.domain.order import OrderState
from core.seal import Seal
from core.second_factor import SecondFactor, make_secret
from tests.builders import an_order

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def enrol(chats: Chats) -> TOTP:
    secret, factor = make_secret(), SecondFactor(Seal(chats.settings.token_keys))
    at = SystemClock().now()
    await chats.parts.database.write(lambda c: factor.enrol(c, secret, at=at, actor="test"))
    return TOTP(secret)


async def unenrol(chats: Chats) -> None:
    gone = settings.delete().where(settings.c.key == "second_factor")
    await chats.parts.database.write(lambda c: c.execute(gone))


async def test_kill_stops_all_sending_at_once_and_resume_does_not_undo_it(chats: Chats) -> None:
    chats.jump(TUESDAY)
    await chats.ask("/kill", "Killed: nothing is sent", user=APPROVER)
    await chats.ask("/kill", "It was killed already")
    alert = await chats.fire()
    await chats.card(alert, "Held", "Stopped by operator 43 with /kill")
    await chats.ask("/resume", "An admin releases that with /unkill", user=APPROVER)
    assert (await chats.orders(alert))[0].state is OrderState.QUEUED
    await chats.ask("/unkill", "Let orders out again?")
    assert "Released" in await chats.tap(await chats.newest("Let orders out again?"), "Yes")
    await chats.is_in(alert, OrderState.FILLED)
    await chats.ask("/unkill", "It was not killed")


async def test_a_stop_stops_whatever_is_written_behind_it(chats: Chats) -> None:
    chats.jump(TUESDAY)
    await chats.ask("/pause because of news", "Paused: nothing is sent")
    await chats.ask("/kill now", "Killed: nothing is sent", user=APPROVER)
    assert {controls.Hold.PAUSED, controls.Hold.KILLED} <= set(await chats.parts.database.read(controls.holds))
    await chats.ask("/resume", "No longer paused, but nothing goes out: it was killed.")
    await chats.ask("/unkill", "Let orders out again?")
    await chats.tap(await chats.newest("Let orders out again?"), "Yes")
    await chats.ask(f"/pause {chats.settings.webhook_secret.get_secret_value()}", "Paused: nothing is sent")
    await chats.ask("/resume", "Orders go out again.")


async def test_a_stop_tells_of_an_order_that_is_being_sent_and_cannot_be_held_back(chats: Chats) -> None:
    write, at = chats.parts.database.write, chats.parts.clock.now()
    sent = await write(lambda c: an_order(c, at=at, state=OrderState.SUBMITTING))
    told = "One order was on its way to Dhan already: its card tells what becomes of it."
    await chats.ask("/pause", "Paused: nothing is sent until /resume.", told)
    await chats.ask("/kill", "Killed: nothing is sent", told)
    await write(lambda c: c.execute(orders.update().where(orders.c.id == sent.id).values(state=OrderState.REJECTED)))
    await chats.ask("/unkill", "Let orders out again?")
    await chats.tap(await chats.newest("Let orders out again?"), "Yes")
    await chats.ask("/pause", "It was paused already.")
    assert "on its way" not in (await chats.newest("It was paused already."))["text"]
    await chats.ask("/resume", "Orders go out again.")


async def test_who_lets_go_of_one_hold_is_told_of_the_next(chats: Chats) -> None:
    for command, words in (("/pause", "Paused"), ("/kill", "Killed"), ("/unkill", "Let orders out again?")):
        await chats.ask(command, words)
    told = await chats.tap(await chats.newest("Let orders out again?"), "Yes")
    assert told == f"Released, but nothing goes out yet: Paused by operator {ADMIN}."
    at, write = SystemClock().now(), chats.parts.database.write
    await write(lambda c: controls.set_hold(c, controls.Hold.NOT_LIVE, "Not live.", at=at, actor="desk"))
    await chats.ask("/resume", "Nothing goes out yet: Not live.")
    await write(lambda c: controls.lift_hold(c, controls.Hold.NOT_LIVE, at=at, actor="desk"))
    await chats.ask("/pause", "Paused")
    await chats.ask("/resume", "Orders go out again.")


async def test_with_an_authenticator_a_code_releases_and_counts_once(chats: Chats) -> None:
    totp = await enrol(chats)
    await chats.ask("/kill", "Killed")
    await chats.ask("/unkill", "Reply to this message with the code")
    asked = await chats.newest("Let orders out again?")
    assert asked["buttons"] == []
    await chats.answered(await chats.reply(asked, "000000"), "That is not the code of now")
    code = totp.at(SystemClock().now())
    await chats.answered(await chats.reply(asked, code), "Released")
    assert controls.Hold.KILLED not in await chats.parts.database.read(controls.holds)
    await chats.ask("/limits order_quantity soft 5", "Set")
    await chats.ask("/limits order_quantity soft 50", "Reply to this message with the code")
    asked = await chats.newest("This lets more go")
    await chats.answered(await chats.reply(asked, code), "used already")
    await unenrol(chats)
    await chats.ask("/limits order_quantity soft 50", "This lets more go")
    await chats.tap(await chats.newest("This lets more go"), "Yes")
    await chats.ask("/limits order_quantity soft off", "This lets more go")
    await chats.tap(await chats.newest("This lets more go"), "Yes")


async def test_a_question_is_answered_by_whoever_was_asked_only(chats: Chats) -> None:
    await chats.ask("/kill", "Killed")
    await chats.ask("/unkill", "Let orders out again?")
    question = await chats.newest("Let orders out again?")
    data = question["buttons"][0]["callback_data"]
    await chats.ask("/kill", "It was killed already", user=APPROVER)
    there = await chats.newest("It was killed already", user=APPROVER)
    assert await chats.touch(there, data, APPROVER) == "You may look, but not decide."
    await chats.tap(question, "Yes")
    assert "answered already" in await chats.touch(question, data, ADMIN)


SECRETS = {
    "{webhook}": "the webhook secret",
    "eyJhbGciOiJIUzUxMiJ9.eyJkaGFuQ2xpZW50SWQiOiIxMTAwIn0.c2lnbmF0dXJl": "what looks like a token",
}


@pytest.mark.parametrize("text", SECRETS)
async def test_a_secret_in_the_chat_is_deleted_and_warned_about(chats: Chats, text: str) -> None:
    said = text.format(webhook=chats.settings.webhook_secret.get_secret_value()) if "{" in text else text
    mine = await chats.says(f"keep this: {said}")
    warning = await chats.answered(mine, SECRETS[text], "It was deleted here")
    assert said not in warning
    listed = await chats.sandbox.messages()
    assert next(m for m in listed if m["message_id"] == mine and m["chat_id"] == ADMIN)["deleted"]


async def test_a_stop_behind_a_secret_stops_also_where_telegram_takes_no_warning(chats: Chats) -> None:
    stops = (("/pause", "Paused: nothing", controls.Hold.PAUSED), ("/kill", "Killed: nothing", controls.Hold.KILLED))
    for command, done, hold in stops:
        await chats.sandbox.fault(kind="status", status=400, method="sendMessage", text="Your message held")
        mine = await chats.says(f"{command} {chats.settings.webhook_secret.get_secret_value()}")
        await chats.answered(mine, done)
        assert hold in await chats.parts.database.read(controls.holds)
        listed = await chats.sandbox.messages()
        assert next(m for m in listed if m["message_id"] == mine and m["chat_id"] == ADMIN)["deleted"]
    assert not [message for message in await chats.messages() if "Your message held" in message["text"]]
    await chats.ask("/resume")
    await chats.ask("/unkill", "Let orders out again?")
    await chats.tap(await chats.newest("Let orders out again?"), "Yes")


async def test_a_pasted_alert_with_its_secret_is_deleted_and_still_explained(chats: Chats) -> None:
    secret = chats.settings.webhook_secret.get_secret_value()
    leg = a_leg("NIFTY1!", quantity="75", instrument="FUT", productType="M")
    alert = {"secret": secret, "alertType": "multi_leg_order", "order_legs": [leg]}
    mine = await chats.says(f"/check {json.dumps(alert)}")
    await chats.answered(mine, "It was deleted here")
    await chats.answered(mine, "75 lots of NIFTY1!", "units of NIFTY")


async def test_words_that_are_no_alert_are_told_how_one_is_checked(chats: Chats) -> None:
    told = await chats.ask("/check buy RELIANCE", "An alert's message begins with {")
    assert "Paste the alert's message behind it" in told
    assert "TradingView" not in told


async def test_an_unknown_symbol_is_told_first_as_what_refuses_the_alert(chats: Chats) -> None:
    alert = {"alertType": "multi_leg_order", "order_legs": [a_leg("RELIANC")]}
    told = await chats.ask(f"/check {json.dumps(alert)}", "It would be refused.")
    assert told.splitlines()[0] == "🔴 It would be refused."
    assert "RELIANCE" in told.splitlines()[1]


async def test_a_file_is_checked_too(chats: Chats) -> None:
    sent = await chats.sandbox.act(kind="document", name="alert.json", text="{“alertType”: “x”}")
    await chats.answered(sent["message"]["message_id"], "curly quotes")


async def test_an_alert_is_written_ready_to_paste_without_the_secret(chats: Chats) -> None:
    told = await chats.ask("/alert RELIANCE buy 10", "Paste this")
    assert '"timenow": "{{timenow}}"' in told
    assert f"{chats.settings.web_url}/webhook" in told
    assert "TradingView cannot reach this address" in told
    assert "PUBLIC_URL" in told
    assert chats.settings.webhook_secret.get_secret_value() not in told


@pytest.mark.parametrize(
    ("at", "words", "first"),
    [
        (SATURDAY, "The market is closed now (Sat 28 Nov 14:00 IST)", "Make it a trading morning"),
        ("2026-12-01T15:30", "The market is closed now (Tue 1 Dec 15:30 IST)", "Make it a trading morning"),
        (TUESDAY, "Watch the card turn to Filled", "Fire a paper alert"),
    ],
)
async def test_the_tour_promises_a_fill_in_market_hours_only(chats: Chats, at: str, words: str, first: str) -> None:
    chats.jump(at)
    await chats.ask("/start", "Try it", words)
    message = await chats.newest("Try it", words)
    assert message["buttons"][0]["text"] == first
    assert ("turn to Filled" in message["text"]) is (at == TUESDAY)


async def test_the_tour_leads_from_an_alert_to_its_fill(chats: Chats) -> None:
    await chats.ask("/start", "Fire a paper alert")
    assert await chats.tap(await chats.newest("Fire a paper alert"), "Fire a paper alert") == "Fired"
    closed = await chats.newest("The market is closed now")
    await chats.tap(closed, "Make it a trading morning")
    await chats.tap(await chats.newest("It is a trading morning"), "Fire a paper alert")
    step = await chats.newest("asks you now", "it fills within seconds")
    alert = int(step["text"].split("alert ")[1].split()[0])
    assert await chats.tap(await chats.card(alert, "Waiting for your tap"), "Approve") == "Approved"
    await chats.is_in(alert, OrderState.FILLED)
    await chats.ask(f"/cancel {alert - 1}")


async def test_start_welcomes_also_before_the_instrument_list_is_there(chats: Chats) -> None:
    chats.jump(TUESDAY)
    listed = chats.settings.instruments_file
    away = listed.rename(listed.with_suffix(".away"))
    chats.parts.instruments.close()
    try:
        await chats.ask("/start", "I keep your order book", "Fire a paper alert")
    finally:
        away.replace(listed)
