"""Every command and every button, for an admin, an approver, a viewer and a stranger, over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from desk_in_chat import ADMIN, APPROVER, STRANGER, TUESDAY, VIEWER, Chats, a_leg

from bot.callback_data import CardTap, Verb, pack
from bot.commands import BY_NAME, COMMANDS, STOPS, may
from core import controls
from core.domain.order import OrderState
from core.settings import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = {ADMIN: Role.ADMIN, APPROVER: Role.APPROVER, VIEWER: Role.VIEWER}
ARGUMENTS = {"order": " 1", "why": " 1", "cancel": " 999", "modify": " 999 price=1", "alert": " RELIANCE buy 10"}
LOOK_ONLY = ("You may look, but not decide.", "The tour is for approvers", "changing it needs the role admin")


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
async def test_a_command_answers_whoever_has_its_role_and_refuses_the_others(chats: Chats, command: str) -> None:
    if not await chats.orders(1):
        await chats.fire()
    text = f"/{command}{ARGUMENTS.get(command, '')}"
    theirs = await chats.says(text, STRANGER)
    for user, role in PEOPLE.items():
        refusal, is_allowed = f"/{command} needs the role", may(role, BY_NAME[command].role)
        answer = await chats.ask(text, *([] if is_allowed else [refusal]), user=user)
        assert (refusal in answer) is not is_allowed, answer
    assert not [m for m in await chats.messages(STRANGER) if m["message_id"] > theirs], "strangers meet silence"
    await chats.ask("/resume")
    if controls.Hold.KILLED in await chats.parts.database.read(controls.holds):
        await chats.ask("/unkill")
        await chats.tap(await chats.newest("Let orders out again?"), "Yes")


@pytest.mark.parametrize(
    "command", [command.name for command in COMMANDS if not command.usage and command.name not in STOPS]
)
async def test_a_command_that_takes_nothing_says_so(chats: Chats, command: str) -> None:
    await chats.ask(f"/{command} nonsense", f"Send it alone: /{command}")


WRONG = {
    "/order x": "/order 41",
    "/why": "/why 41",
    "/why 99999": "There is no alert 99999",
    "/queue one two": "/queue asked",
    "/ip foo": "/ip set 203.0.113.24",
    "/alert": "/alert RELIANCE buy 10",
    "/alert RELAINCE buy 10": "Did you mean RELIANCE",
    "/alert RELIANCE buy 10 limit": "Limit at which price?",
    "/check": "Paste the alert's message",
    "/clock noon": "/clock 2026-12-01T10:30",
    "/policy two_people many": "write a number like",
    "/pnl week": "/pnl day or /pnl 30",
    "/status week": "/status day draws the day",
    "/notify fills": "/notify quiet 22:00-07:00",
    "/export someday": "/export yesterday",
    "/alert RELIANCE bye 10": "'bye' cannot be read. For example: /alert RELIANCE buy 10",
    "/alert RELIANCE buy ten": "'ten' cannot be read. For example: /alert RELIANCE buy 10",
    "/alert RELIANCE buy 10 lmit 1400": "'lmit' cannot be read. For example: /alert RELIANCE buy 10",
    "/alert RELIANCE buy": "The quantity is missing. For example: /alert RELIANCE buy 10",
    "/alert reliance sell": "The quantity is missing. For example: /alert RELIANCE buy 10",
    "/alert NIFTY buy 75": "Its next future is NIFTY1!, whose quantity counts lots.",
    "/alert CRUDEOIL buy 1 mcx": "Its next future is CRUDEOIL1!,",
    "/modify 1.1 prise=1410": "'prise=1410' cannot be read. For example: /modify 41.1 price=1410",
    "/modify 1.1 price=high": "'price=high' cannot be read. For example: /modify 41.1 price=1410",
    "/modify 1.1 price=1410 price=1420": "'price' stands there twice. For example: /modify 41.1 price=1410",
    "/fly": "/help lists them all",
    "/quue": "Did you mean /queue? /help lists them all",
    "positons": "Did you mean /positions? /help lists them all",
}


@pytest.mark.parametrize("text", WRONG)
async def test_a_wrong_word_is_named_and_gets_an_example(chats: Chats, text: str) -> None:
    if not await chats.orders(1):
        await chats.fire()
    await chats.ask(text, WRONG[text])


async def on_a_waiting_card(chats: Chats) -> None:
    await chats.fire(a_leg(orderType="LMT", price="1400", quantity="2"))


async def on_a_working_card(chats: Chats) -> None:
    chats.jump(TUESDAY)
    alert = await chats.fire(a_leg(orderType="LMT", price="1000"))
    await chats.is_in(alert, OrderState.WORKING)
    await chats.card(alert, "resting at")


async def on_the_queue(chats: Chats) -> None:
    await chats.fire()


async def with_buttons(chats: Chats, alert: int, user: int) -> dict[str, Any]:
    """The alert's card, once it has any."""

    async def found() -> dict[str, Any] | None:
        card = await chats.newest(f"alert {alert} ·", user=user)
        return card if card["buttons"] else None

    return await chats.until(found, f"the card of alert {alert} has buttons for {user}")


Scene = Callable[[Chats], Awaitable[None]]
BUTTONS: dict[Verb, Scene] = {
    **dict.fromkeys((Verb.APPROVE, Verb.APPROVE_SURELY, Verb.CANCEL, Verb.SNOOZE, Verb.EDIT), on_a_waiting_card),
    **dict.fromkeys((Verb.SOONER, Verb.SOONER_SURELY, Verb.NET, Verb.SUPERSEDE, Verb.REPEAT), on_a_waiting_card),
    **dict.fromkeys((Verb.ASK_CANCEL_WORKING, Verb.CANCEL_WORKING, Verb.BACK), on_a_working_card),
    **dict.fromkeys((Verb.ASK_SEND_AGAIN, Verb.SEND_AGAIN, Verb.DROP), on_a_waiting_card),
    **dict.fromkeys((Verb.APPROVE_ALL, Verb.CANCEL_ALL, Verb.TOUR, Verb.TOUR_CLOCK, Verb.CALENDAR), on_the_queue),
    Verb.YES: on_the_queue,
}
OPEN = {
    Verb.DETAILS: (None, ""),
    Verb.QUEUE: ("all", ""),
    Verb.NOTIFY: ("fills.on", "Done"),
    Verb.CURE: ("queue", "/queue"),
    Verb.PICTURE: ("timeline", "/status day"),
}
"""What every operator may tap: what it names instead of a card, and the answer."""


async def test_every_button_is_in_the_matrix() -> None:
    own_tests = {Verb.SET_IP, Verb.SOURCE, Verb.MORE_DAYS}
    assert set(BUTTONS) | set(OPEN) | own_tests == set(Verb)


@pytest.mark.parametrize("verb", BUTTONS)
async def test_a_button_obeys_approvers_tells_viewers_so_and_ignores_strangers(chats: Chats, verb: Verb) -> None:
    await BUTTONS[verb](chats)
    alert = max(order.alert_id for order in await chats.everything())
    cards = {user: await with_buttons(chats, alert, user) for user in PEOPLE}
    version = await chats.version(alert)
    nonce = {user: card["buttons"][0]["callback_data"].split(":")[1] for user, card in cards.items()}

    stranger = await chats.touch_unheard(cards[ADMIN], pack(CardTap(verb, nonce[ADMIN], version)), STRANGER)
    viewer = await chats.touch(cards[VIEWER], pack(CardTap(verb, nonce[VIEWER], version)), VIEWER)
    assert any(words in viewer for words in LOOK_ONLY), viewer
    assert await chats.version(alert) == version, "neither had an effect"
    for user in (APPROVER, ADMIN):
        answer = await chats.touch(cards[user], pack(CardTap(verb, nonce[user], await chats.version(alert))), user)
        is_allowed = not any(words in answer for words in LOOK_ONLY)
        assert is_allowed or (verb is Verb.CALENDAR and user == APPROVER), answer
    assert not await chats.was_answered(stranger)
    await chats.ask(f"/cancel {alert}")


@pytest.mark.parametrize("verb", OPEN)
async def test_looking_and_what_one_hears_of_are_open_to_every_operator(chats: Chats, verb: Verb) -> None:
    alert = await chats.fire()
    for user in PEOPLE:
        card = await with_buttons(chats, alert, user)
        named, answer = OPEN[verb]
        nonce = named or card["buttons"][0]["callback_data"].split(":")[1]
        data = pack(CardTap(verb, nonce, 0))
        assert await chats.touch(card, data, user) == answer
        assert not await chats.was_answered(await chats.touch_unheard(card, data, STRANGER))
    await chats.ask(f"/cancel {alert}")


async def test_a_cure_needs_the_role_of_its_command(chats: Chats) -> None:
    alert = await chats.fire()
    await chats.ask("/pause")
    for user in (VIEWER, ADMIN):
        card = await chats.newest(f"alert {alert} ·", user=user)
        await chats.touch(card, pack(CardTap(Verb.CURE, "resume", 0)), user)
        await chats.newest("/resume needs the role approver" if user == VIEWER else "Orders go out again", user=user)
        is_paused = controls.Hold.PAUSED in await chats.parts.database.read(controls.holds)
        assert is_paused is (user == VIEWER)
    await chats.ask(f"/cancel {alert}")


async def test_a_menu_belongs_to_its_operator_and_strangers_have_none(chats: Chats) -> None:
    for user, role in PEOPLE.items():
        its_own = {command.name for command in COMMANDS if may(role, command.role)}
        await chats.until(lambda user=user, its_own=its_own: has_menu(chats, user, its_own), f"the menu of a {role}")
    assert await chats.menu({"type": "default"}) == []


async def has_menu(chats: Chats, user: int, names: set[str]) -> bool:
    menu = await chats.menu({"type": "chat", "chat_id": user})
    return {command["command"] for command in menu} == names
