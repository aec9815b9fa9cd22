"""The tap below a command's question: taken once, from the one who asked, and then done."""

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Any, cast

from telegram import Message, Update
from telegram.constants import ParseMode

from bot.access import Context, Gate
from bot.callback_data import unpack
from bot.commands import may
from core import questions
from core.clock import Clock
from core.db.engine import Database
from core.domain.question import Question
from core.errors import Refusal, Unavailable
from core.settings import Role

Doing = Callable[[Mapping[str, Any], int], Awaitable[str]]


class Answers:
    """`doings` say what a yes to each question does; they take its facts and the user's id."""

    def __init__(self, *, database: Database, clock: Clock, gate: Gate, doings: Mapping[Question, Doing]) -> None:
        self._database = database
        self._clock = clock
        self._gate = gate
        self._doings = doings

    async def handle(self, update: Update, _context: Context) -> None:
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None:
            return
        if not may(self._gate.role(update), Role.APPROVER):
            await query.answer("You may look, but not decide.", show_alert=True)
            return
        user, at = query.from_user.id, self._clock.now()
        try:
            kind, payload = await self._database.write(
                lambda connection: questions.answer(connection, tap.nonce, user_id=user, at=at)
            )
            words = await self._doings[kind](payload, user)
        except (Refusal, Unavailable) as refusal:
            await query.answer(str(refusal)[:200], show_alert=True)
            return
        await query.answer(words[:200])
        message = cast("Message", query.message)
        await message.edit_text(f"{message.text_html}\n\n{escape(words)}", ParseMode.HTML)
