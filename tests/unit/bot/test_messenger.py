"""Cards and messages in a real chat, and what becomes of each of Telegram's errors."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr
from telegram import Bot
from telegram import error as telegram_error
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError

from bot.messenger import TelegramMessenger
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.errors import TelegramUnavailable
from core.login_link import LoginLinks
from core.notifications import Card, ChatUnreachable, Message, MessageRefused
from core.settings import Mode, Settings
from tests.integration.paper_telegram import OPERATOR, STRANGER, Sandbox, running
from tests.unit.bot.reports import order, report

CARD = Card(id=1, alert_id=41, chat_id=OPERATOR, nonce="nonce", message_id=None, failures=0)
NEWS = Message(id=1, chat_id=OPERATOR, alert_id=None, kind=Notice.HELD, payload={"words": "Held <now>."}, failures=0)
DESK = Settings(token_keys=SecretStr("a key"), public_url="https://desk.example.com")
LINKS = LoginLinks(DESK)
WAITING, FILLED = report(order(OrderState.AWAITING_APPROVAL)), report(order(OrderState.FILLED))


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with running(tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
def messenger(chat: Sandbox) -> TelegramMessenger:
    messenger = TelegramMessenger(chat.bot, Mode.PAPER, LINKS)
    messenger.is_connected = True
    return messenger


async def test_a_card_is_sent_with_its_buttons(chat: Sandbox, messenger: TelegramMessenger) -> None:
    message_id = await messenger.show_card(CARD, WAITING)
    [message] = await chat.messages()
    assert message["message_id"] == message_id
    assert "Symbol: M&M" in message["text"]
    assert [button["callback_data"] for button in message["buttons"]] == [
        "approve:nonce:3",
        "cancel:nonce:3",
        "snooze:nonce:3",
        "edit:nonce:3",
        "why:nonce:3",
    ]


async def test_a_card_that_is_there_is_edited_and_loses_its_buttons(
    chat: Sandbox, messenger: TelegramMessenger
) -> None:
    message_id = await messenger.show_card(CARD, WAITING)
    assert await messenger.show_card(replace(CARD, message_id=message_id), FILLED) == message_id
    [message] = await chat.messages()
    assert "🟢 Filled" in message["text"]
    assert message["buttons"] == []


async def test_the_same_card_again_is_no_trouble(chat: Sandbox, messenger: TelegramMessenger) -> None:
    message_id = await messenger.show_card(CARD, WAITING)
    assert await messenger.show_card(replace(CARD, message_id=message_id), WAITING) == message_id
    assert len(await chat.messages()) == 1


async def test_a_card_that_is_gone_is_sent_anew(chat: Sandbox, messenger: TelegramMessenger) -> None:
    new_id = await messenger.show_card(replace(CARD, message_id=999), WAITING)
    assert [message["message_id"] for message in await chat.messages()] == [new_id]


async def test_a_message_rings_with_escaped_words(chat: Sandbox, messenger: TelegramMessenger) -> None:
    await messenger.ring(NEWS)
    [message] = await chat.messages()
    assert not message["silent"]
    assert "Held <now>." in message["text"]


async def test_an_operator_who_blocked_the_bot_is_unreachable(chat: Sandbox, messenger: TelegramMessenger) -> None:
    await chat.act(kind="block")
    with pytest.raises(ChatUnreachable):
        await messenger.ring(NEWS)


async def test_a_chat_that_never_wrote_is_unreachable(messenger: TelegramMessenger) -> None:
    with pytest.raises(ChatUnreachable):
        await messenger.show_card(replace(CARD, chat_id=STRANGER), WAITING)


async def test_a_wish_for_a_pause_is_handed_on(chat: Sandbox, messenger: TelegramMessenger) -> None:
    await chat.fault(kind="retry_after", seconds=7)
    with pytest.raises(TelegramUnavailable) as trouble:
        await messenger.ring(NEWS)
    assert trouble.value.retry_after == 7


async def test_a_telegram_that_is_away_is_unavailable(chat: Sandbox, messenger: TelegramMessenger) -> None:
    for fault in ({"kind": "down"}, {"kind": "status", "status": 502}, {"kind": "drop_after"}):
        await chat.fault(**fault)
        with pytest.raises(TelegramUnavailable) as trouble:
            await messenger.ring(NEWS)
        assert trouble.value.retry_after is None


async def test_before_the_bot_is_connected_nothing_is_sent(chat: Sandbox) -> None:
    with pytest.raises(TelegramUnavailable):
        await TelegramMessenger(chat.bot, Mode.PAPER, LINKS).ring(NEWS)
    assert await chat.messages() == []


def family(kind: type[TelegramError]) -> Iterator[type[TelegramError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def raised(kind: type[TelegramError]) -> TelegramError:
    match kind.__name__:
        case "RetryAfter":
            return RetryAfter(timedelta(seconds=3))
        case "ChatMigrated":
            return telegram_error.ChatMigrated(-100)
        case "InvalidToken" | "TimedOut":
            return kind()  # pyright: ignore[reportCallIssue] - these two need no message
        case _:
            return kind("Something happened")


FAMILY = {kind.__name__: kind for kind in family(TelegramError)}


class FailingBot:
    """Every message ends in this error."""

    def __init__(self, error: TelegramError) -> None:
        self._error = error

    async def send_message(self, *_arguments: object, **_named: object) -> None:
        raise self._error


async def ring_with(error: TelegramError) -> None:
    messenger = TelegramMessenger(cast("Bot", FailingBot(error)), Mode.PAPER, LINKS)
    messenger.is_connected = True
    await messenger.ring(NEWS)


@pytest.mark.parametrize("name", sorted(FAMILY))
async def test_every_error_of_telegram_becomes_ours(name: str) -> None:
    ours = {Forbidden: ChatUnreachable, BadRequest: MessageRefused}
    expected = [ours[theirs] for theirs in ours if issubclass(FAMILY[name], theirs)] or [TelegramUnavailable]
    with pytest.raises(expected[0]):
        await ring_with(raised(FAMILY[name]))


@pytest.mark.parametrize("wait", [3, timedelta(seconds=3)])
async def test_a_pause_is_in_seconds_whatever_the_library_gives(wait: int | timedelta) -> None:
    with pytest.raises(TelegramUnavailable) as trouble:
        await ring_with(RetryAfter(wait))
    assert trouble.value.retry_after == 3


async def test_a_chat_that_is_not_found_is_unreachable() -> None:
    with pytest.raises(ChatUnreachable):
        await ring_with(BadRequest("Chat not found"))


async def test_an_error_never_shows_the_address_with_the_bots_token() -> None:
    with pytest.raises(TelegramUnavailable) as trouble:
        await ring_with(telegram_error.NetworkError("https://api.telegram.org/bot1000000001:secret/sendMessage"))
    assert "secret" not in str(trouble.value)


def asks_to_sign_in(login: int | None) -> Message:
    words = "Not signed in at Dhan: <it> ended."
    return replace(NEWS, kind=Notice.SIGN_IN, payload={"words": words, "login": login})


async def test_a_sign_in_link_is_a_button(chat: Sandbox, messenger: TelegramMessenger) -> None:
    await messenger.ring(asks_to_sign_in(7))
    [message] = await chat.messages()
    assert "Not signed in at Dhan: &lt;it&gt; ended." in message["html"]
    [button] = message["buttons"]
    assert (button["text"], button["url"]) == ("Sign in at Dhan", LINKS.url(7))
    assert button["url"].startswith("https://desk.example.com/auth/login/7-")
    assert LINKS.key(7) not in message["text"]


async def test_where_telegram_refuses_the_host_the_link_is_text_to_copy(chat: Sandbox) -> None:
    links = LoginLinks(DESK.model_copy(update={"public_url": "http://localhost:8080"}))
    messenger = TelegramMessenger(chat.bot, Mode.PAPER, links)
    messenger.is_connected = True
    await messenger.ring(asks_to_sign_in(7))
    [message] = await chat.messages()
    assert message["buttons"] == []
    assert links.url(7) in message["text"]


async def test_without_a_link_the_need_to_sign_in_rings_all_the_same(
    chat: Sandbox, messenger: TelegramMessenger
) -> None:
    await messenger.ring(asks_to_sign_in(None))
    [message] = await chat.messages()
    assert "Sign in at Dhan" in message["text"]
    assert message["buttons"] == []


@pytest.mark.parametrize("times", [1, 2])
async def test_a_message_whose_link_is_over_loses_it_and_says_so(
    chat: Sandbox, messenger: TelegramMessenger, times: int
) -> None:
    sent = await messenger.ring(asks_to_sign_in(7))
    over = replace(NEWS, kind=Notice.SIGNED_IN, payload={"words": "The link that stood here is over.", "edits": sent})
    for _ in range(times):
        assert await messenger.ring(over) == sent
    [message] = await chat.messages()
    assert message["text"] == "PAPER · 🟢 Signed in at Dhan\nThe link that stood here is over."
    assert message["buttons"] == []


async def test_a_link_message_that_is_gone_is_not_sent_anew(chat: Sandbox, messenger: TelegramMessenger) -> None:
    await messenger.ring(replace(NEWS, kind=Notice.SIGNED_IN, payload={"words": "It is over.", "edits": 999}))
    assert await chat.messages() == []
