"""Putting cards and messages into chats, and the one place where Telegram's errors become ours."""

from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from typing import Any

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, RetryAfter, TelegramError

from bot import card_views, keyboards, notice_views
from core.errors import TelegramUnavailable
from core.login_link import LoginLinks
from core.notifications import Card, ChatUnreachable, Message, MessageRefused
from core.reports import AlertReport
from core.settings import Mode

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)


class TelegramMessenger:
    """The relay's way into Telegram. `is_connected` turns true once the bot has spoken with Telegram.

    `traces` is where the trace pages are, when everybody may open them.
    """

    def __init__(self, bot: Bot, mode: Mode, links: LoginLinks, traces: str | None = None) -> None:
        self._bot = bot
        self._mode = mode
        self._links = links
        self._traces = traces
        self.is_connected = False

    async def show_card(self, card: Card, report: AlertReport) -> int:
        trace = f"{self._traces}/{report.alert.id}" if self._traces else None
        text = card_views.card(report, self._mode, trace)
        buttons = keyboards.card_buttons(report, card.nonce)
        with _our_words(self.is_connected):
            if card.message_id is not None and await self._edit(card.chat_id, card.message_id, text, buttons):
                return card.message_id
            return await self._send(card.chat_id, text, buttons)
        raise AssertionError("unreachable")

    async def ring(self, message: Message) -> int:
        text, login = notice_views.told(message, self._mode), message.payload.get("login")
        silent, edits = message.is_silent, message.payload.get("edits")
        with _our_words(self.is_connected):
            if edits is not None:  # one that was deleted meanwhile needs no more
                await self._edit(message.chat_id, int(edits), text, None)
                return int(edits)
            if login is not None and message.chat_id > 0:  # a group would see the link, too
                return await send_link(self._bot, message.chat_id, text, self._links.url(int(login)), silent=silent)
            return await self._send(message.chat_id, text, notice_views.buttons(message), silent=silent)
        raise AssertionError("unreachable")

    async def _edit(self, chat: int, message_id: int, text: str, buttons: InlineKeyboardMarkup | None) -> bool:
        """False when the message can no longer be edited, so that a new one is needed."""
        try:
            await self._bot.edit_message_text(
                text,
                chat_id=chat,
                message_id=message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=buttons,
                link_preview_options=_NO_PREVIEW,
            )
        except BadRequest as error:
            words = error.message.lower()
            if "not modified" in words:
                return True
            if "to edit not found" in words or "can't be edited" in words:
                return False
            raise
        return True

    async def _send(self, chat: int, text: str, buttons: InlineKeyboardMarkup | None, *, silent: bool = False) -> int:
        sent = await self._bot.send_message(
            chat,
            text,
            parse_mode=ParseMode.HTML,
            reply_markup=buttons,
            link_preview_options=_NO_PREVIEW,
            disable_notification=silent,
        )
        return sent.message_id


async def send_link(bot: Bot, chat: int, text: str, url: str, *, silent: bool = False) -> int:
    """A sign-in link as a button; as text to copy where Telegram refuses its host, such as localhost. Never previewed:
    a preview would open it."""
    button = InlineKeyboardMarkup([[InlineKeyboardButton("Sign in at Dhan", url=url)]])
    usual: dict[str, Any] = {
        "parse_mode": ParseMode.HTML,
        "link_preview_options": _NO_PREVIEW,
        "disable_notification": silent,
    }
    try:
        sent = await bot.send_message(chat, text, reply_markup=button, **usual)
    except BadRequest as error:
        if "url" not in error.message.lower():
            raise
        plain = f"{text}\n\nOpen this in your browser:\n<code>{escape(url)}</code>"
        sent = await bot.send_message(chat, plain, **usual)
    return sent.message_id


@contextmanager
def _our_words(is_connected: bool) -> Generator[None]:
    if not is_connected:
        raise TelegramUnavailable("not connected to Telegram yet")
    try:
        yield
    except RetryAfter as error:
        wait = error.retry_after
        raise TelegramUnavailable(
            "Telegram asks for a pause", wait if isinstance(wait, int) else wait.total_seconds()
        ) from None
    except Forbidden as error:
        raise ChatUnreachable(error.message) from None
    except BadRequest as error:
        if "chat not found" in error.message.lower():
            raise ChatUnreachable(error.message) from None
        raise MessageRefused(error.message) from None
    except TelegramError as error:
        raise TelegramUnavailable(type(error).__name__) from None
