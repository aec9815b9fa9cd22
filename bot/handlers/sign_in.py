"""The commands around the sign-in at Dhan and the address that orders come from."""

import contextlib
from html import escape
from typing import cast

from sqlalchemy import Connection
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot import sign_in_views as views
from bot.access import Context, Gate
from bot.callback_data import Verb
from bot.commands import may
from bot.handlers.stops import author
from bot.messenger import send_link
from bot.text import cut
from core import controls, journal, link_messages
from core.controls import Hold
from core.db import tokens
from core.engine.parts import Parts
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from core.login_link import LoginLinks, offer
from core.settings import Role, Settings

_Trouble = (Refusal, BrokerUnavailable)


class SignInCommands:
    """One method per command, named after it."""

    def __init__(self, settings: Settings, parts: Parts, gate: Gate) -> None:
        self._has_links = settings.api_key_and_secret is not None
        self._links = LoginLinks(settings)
        self._database = parts.database
        self._session = parts.session
        self._addresses = parts.addresses
        self._clock = parts.clock
        self._gate = gate

    async def login(self, message: Message, _arguments: list[str], _role: Role) -> None:
        """A link where links can be made; else a new token by PIN and TOTP, or by renewing one of the website.

        A token is never taken in the chat.
        """
        if not self._has_links:
            await self._show_token(message, why_no_new=await self._session.sign_in_anew())
            return
        now = self._clock.now()
        by = journal.operator(message.chat.id)
        offered = await self._database.write(lambda c: offer(c, by=by, at=now))
        if offered.login_id is None:
            await message.reply_text(offered.words)
            return
        living = await self._database.read(tokens.age)
        text = views.login_offer(living, offered.words, now)
        login_id, chat_id = offered.login_id, message.chat.id
        sent = await send_link(message.get_bot(), chat_id, text, self._links.url(login_id))
        await self._database.write(
            lambda c: link_messages.note(c, chat_id=chat_id, message_id=sent, login_id=login_id, at=now)
        )

    async def token(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await self._show_token(message)

    async def ip(self, message: Message, arguments: list[str], role: Role) -> None:
        """`/ip` shows, `/ip set` registers what Dhan sees, `/ip set 203.0.113.24` that one; both after a yes."""
        if arguments[:1] == ["set"]:
            await self._ask_to_register(message, "".join(arguments[1:2]), role)
        elif arguments:
            raise Refusal("For example: /ip, or /ip set, or /ip set 203.0.113.24")
        else:
            await message.reply_html(views.addresses(await self._addresses.check()))

    async def confirm_address(self, update: Update, _context: Context) -> None:
        """The tap below the question."""
        query = update.callback_query
        if query is None or not may(self._gate.role(update), Role.ADMIN):
            return  # the button stands in one admin's own chat
        with contextlib.suppress(BadRequest):  # too late to be answered; the question's own age decides
            await query.answer()
        by = journal.operator(query.from_user.id)
        try:
            found = await self._addresses.register((query.data or "").partition(":")[2], by)
            text = f"Registered. A token made before it may be refused: if so, send /login.\n\n{views.addresses(found)}"
        except SignInNeeded as trouble:
            text = escape(cut(views.needed(trouble)))
        except _Trouble as trouble:
            text = escape(cut(str(trouble)))
        await cast("Message", query.message).edit_text(text, ParseMode.HTML)

    async def _show_token(self, message: Message, *, why_no_new: str | None = None) -> None:
        def look(connection: Connection) -> tuple[tokens.TokenAge | None, str | None]:
            return tokens.age(connection), controls.holds(connection).get(Hold.SIGNED_OUT)

        living, hold = await self._database.read(look)
        await message.reply_html(views.token(living, hold, self._clock.now(), why_no_new))

    async def _ask_to_register(self, message: Message, wanted: str, role: Role) -> None:
        if not may(role, Role.ADMIN):
            raise Refusal("/ip set needs the role admin.")
        proposal = await self._addresses.propose(wanted, journal.operator(author(message)))
        button = InlineKeyboardButton(
            f"Yes, register {proposal.address}", callback_data=f"{Verb.SET_IP}:{proposal.nonce}"
        )
        await message.reply_html(views.address_question(proposal), reply_markup=InlineKeyboardMarkup([[button]]))
