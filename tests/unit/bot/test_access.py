"""The gate: operators in their own private chat, and nobody else by any door."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from telegram import Update
from telegram.ext import ApplicationHandlerStop

from bot.access import Context, Gate
from bot.commands import BY_NAME, COMMANDS, Purpose, may
from bot.handlers.account import AccountCommands
from bot.handlers.alerts import Alerts
from bot.handlers.desk import DeskCommands
from bot.handlers.explanations import Explanations
from bot.handlers.export import ExportCommands
from bot.handlers.market import MarketCommands
from bot.handlers.notices import NoticeCommands
from bot.handlers.orders import OrderCommands
from bot.handlers.queue import Queue
from bot.handlers.sign_in import SignInCommands
from bot.handlers.sources import SourceCommands
from bot.handlers.stops import Stops
from bot.handlers.tour import Tour
from core.settings import Role

OPERATOR, STRANGER, GROUP, CHANNEL, ANONYMOUS = 42, 7, -1001, -1002, 1087968824
NOBODY = cast("Context", None)
DATE = int(datetime(2026, 11, 25, 6, 30, tzinfo=UTC).timestamp())


def person(user_id: int) -> dict[str, Any]:
    return {"id": user_id, "is_bot": False, "first_name": "Somebody"}


def chat(chat_id: int) -> dict[str, Any]:
    kind = "channel" if chat_id == CHANNEL else "private" if chat_id > 0 else "supergroup"
    return {"id": chat_id, "type": kind, "title": "A chat"}


def message(user_id: int | None, chat_id: int, **more: Any) -> dict[str, Any]:
    sender = {"from": person(user_id)} if user_id else {}
    return {"message_id": 1, "date": DATE, "chat": chat(chat_id), "text": "/status", **sender, **more}


def tap(user_id: int, **more: Any) -> dict[str, Any]:
    return {"id": "1", "from": person(user_id), "chat_instance": "1", "data": "approve:x:1", **more}


def blocked(user_id: int) -> dict[str, Any]:
    bot = {"id": 1, "is_bot": True, "first_name": "Munshi"}
    change = {"old_chat_member": {"user": bot, "status": "member"}}
    new = {"new_chat_member": {"user": bot, "status": "kicked", "until_date": 0}}
    return {"chat": chat(user_id), "from": person(user_id), "date": DATE, **change, **new}


def update(**body: Any) -> Update:
    found = Update.de_json({"update_id": 1, **body}, None)
    assert found
    return found


ALLOWED = {
    "a message": update(message=message(OPERATOR, OPERATOR)),
    "a tap": update(callback_query=tap(OPERATOR, message=message(None, OPERATOR))),
    "a block": update(my_chat_member=blocked(OPERATOR)),
    "a forwarded message": update(
        message=message(
            OPERATOR, OPERATOR, forward_origin={"type": "hidden_user", "date": DATE, "sender_user_name": "X"}
        )
    ),
}
REFUSED = {
    "a stranger": update(message=message(STRANGER, STRANGER)),
    "a stranger's tap": update(callback_query=tap(STRANGER, message=message(None, STRANGER))),
    "a stranger in the operator's chat": update(message=message(STRANGER, OPERATOR)),
    "a stranger's tap on the operator's card": update(callback_query=tap(STRANGER, message=message(None, OPERATOR))),
    "the operator in a group": update(message=message(OPERATOR, GROUP)),
    "the operator's tap in a group": update(callback_query=tap(OPERATOR, message=message(None, GROUP))),
    "the operator in a stranger's chat": update(message=message(OPERATOR, STRANGER)),
    "an anonymous admin": update(message=message(ANONYMOUS, GROUP, sender_chat=chat(GROUP))),
    "a channel post": update(channel_post=message(None, CHANNEL, sender_chat=chat(CHANNEL))),
    "a channel's automatic forward": update(message=message(None, GROUP, sender_chat=chat(CHANNEL))),
    "an edited message": update(edited_message=message(OPERATOR, OPERATOR, edit_date=DATE)),
    "an inline message's tap": update(callback_query=tap(OPERATOR, inline_message_id="x")),
    "an inline query": update(inline_query={"id": "1", "from": person(OPERATOR), "query": "x", "offset": ""}),
    "a poll answer": update(
        poll_answer={"poll_id": "1", "user": person(OPERATOR), "option_ids": [0], "option_persistent_ids": ["0"]}
    ),
    "nothing that we know": update(),
}


@pytest.fixture
def gate() -> Gate:
    return Gate({OPERATOR: Role.ADMIN, 43: Role.VIEWER})


@pytest.mark.parametrize("case", ALLOWED)
async def test_the_operator_passes_in_private(gate: Gate, case: str) -> None:
    await gate.check(ALLOWED[case], NOBODY)
    assert gate.role(ALLOWED[case]) is Role.ADMIN


@pytest.mark.parametrize("case", REFUSED)
async def test_nobody_else_passes_by_any_door(gate: Gate, case: str) -> None:
    with pytest.raises(ApplicationHandlerStop):
        await gate.check(REFUSED[case], NOBODY)
    with pytest.raises(PermissionError):
        gate.role(REFUSED[case])


@pytest.mark.parametrize("case", ALLOWED)
async def test_without_operators_nobody_passes(case: str) -> None:
    with pytest.raises(ApplicationHandlerStop):
        await Gate({}).check(ALLOWED[case], NOBODY)


@pytest.mark.parametrize(
    ("case", "passes"),
    [
        (update(message=message(OPERATOR, GROUP)), True),
        (update(callback_query=tap(OPERATOR, message=message(None, GROUP))), True),
        (update(message=message(STRANGER, GROUP)), False),
        (update(callback_query=tap(STRANGER, message=message(None, GROUP))), False),
        (update(message=message(OPERATOR, GROUP - 7)), False),
        (update(message=message(OPERATOR, GROUP, sender_chat=chat(GROUP))), False),
        (update(message=message(ANONYMOUS, GROUP, sender_chat=chat(GROUP))), False),
        (update(message=message(OPERATOR, OPERATOR)), True),
    ],
)
async def test_in_the_one_group_operators_pass_and_nobody_else(case: Update, passes: bool) -> None:
    gate = Gate({OPERATOR: Role.ADMIN}, GROUP)
    if passes:
        await gate.check(case, NOBODY)
        return
    with pytest.raises(ApplicationHandlerStop):
        await gate.check(case, NOBODY)


async def test_everybody_has_the_role_of_the_settings(gate: Gate) -> None:
    assert gate.role(update(message=message(43, 43))) is Role.VIEWER


def test_a_role_may_do_what_lesser_roles_may() -> None:
    allowed = {(role, least) for role in Role for least in Role if may(role, least)}
    ladder = [Role.VIEWER, Role.APPROVER, Role.ADMIN]
    assert allowed == {(role, least) for place, role in enumerate(ladder) for least in ladder[: place + 1]}


HANDLERS = (
    *(DeskCommands, MarketCommands, SignInCommands, OrderCommands, AccountCommands, Queue, Stops, Alerts),
    *(Explanations, Tour, SourceCommands, NoticeCommands, ExportCommands),
)


def test_every_command_has_a_handler_and_telegram_takes_its_name() -> None:
    for command in COMMANDS:
        assert sum(callable(getattr(handler, command.name, None)) for handler in HANDLERS) == 1
        assert command.name.isidentifier()
        assert command.name == command.name.lower()
        assert len(command.name) <= 32
        assert 1 <= len(command.summary) <= 256
    assert len(BY_NAME) == len(COMMANDS)


def test_looking_is_open_to_all_and_acting_is_not() -> None:
    assert {command.role for command in COMMANDS if command.purpose is Purpose.LOOK} == {Role.VIEWER}
    assert Role.VIEWER not in {command.role for command in COMMANDS if command.purpose is Purpose.ACT}
