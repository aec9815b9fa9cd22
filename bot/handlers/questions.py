"""Second steps: a question below which one taps yes, or that one answers in words; taken once, from the one asked.

What a lost phone must not be able to do is asked for with a code of the authenticator, once one is enrolled.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast

from telegram import ForceReply, Message, Update
from telegram.constants import ParseMode

from bot import keyboards
from bot.access import Context, Gate
from bot.callback_data import unpack
from bot.commands import may
from bot.handlers.taps import say
from bot.text import below, cut
from core import journal, questions
from core.clock import Clock, SystemClock
from core.db.engine import Database
from core.domain.question import Question
from core.errors import Refusal, StaleTap, Unavailable
from core.second_factor import SecondFactor
from core.settings import Role

Doing = Callable[[Mapping[str, Any], int], Awaitable[str]]
_GUARDED = (Question.LOOSEN, Question.GO_LIVE, Question.UNKILL)
_LEAST: dict[Question | None, Role] = dict.fromkeys((*_GUARDED, Question.KILL_SWITCH), Role.ADMIN)
_MOST_MISTAKE = 1000
_CODE = "Reply to this message with the code that your authenticator shows."


@dataclass
class Questions:
    """`doings` say what a yes to each question does; they take its facts and the user's id. An answer in words
    stands among the facts as `reply`; an edit's facts say as `again` (HTML) how to write it."""

    database: Database
    clock: Clock
    gate: Gate
    factor: SecondFactor
    doings: dict[Question, Doing]

    async def ask(
        self, message: Message, kind: Question, payload: Mapping[str, Any], html: str, yes: str, *, user: int
    ) -> None:
        """Put a question with a button; with the wish for a code instead, where one is needed and enrolled."""
        if kind in _GUARDED and await self.database.read(self.factor.is_enrolled):
            await self.ask_in_words(message, kind, payload, f"{html}\n\n{_CODE}", user=user)
            return
        at = self.clock.now()
        name = await self.database.write(lambda c: questions.ask(c, kind, payload, user_id=user, at=at))
        await message.reply_html(html, reply_markup=keyboards.confirm(name, yes))

    async def ask_in_words(
        self, message: Message, kind: Question, payload: Mapping[str, Any], html: str, *, user: int
    ) -> None:
        """Put a question whose answer is a reply to it."""
        sent = await message.reply_html(html, reply_markup=ForceReply(selective=True))
        name, at = _name(sent), self.clock.now()
        await self.database.write(lambda c: questions.ask(c, kind, payload, user_id=user, at=at, name=name))

    async def handle(self, update: Update, _context: Context) -> None:
        """The tap on yes. It is taken once, so that the message says what became of it, a refusal too."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None:
            return
        kind = await self.database.read(lambda c: questions.kind_of(c, tap.nonce))
        if not self._may(update, kind):
            await query.answer("You may look, but not decide.", show_alert=True)
            return
        try:
            kind, payload = await self._take(tap.nonce, query.from_user.id)
        except (Refusal, Unavailable) as refusal:
            await say(query, str(refusal), alarm=True)
            return
        words, is_done = await self._do(kind, payload, query.from_user.id)
        await say(query, words, alarm=not is_done)
        message = cast("Message", query.message)
        await message.edit_text(below(message.text_html, words), ParseMode.HTML)

    async def handle_reply(self, update: Update, message: Message) -> bool:
        """The answer in words, if the message is one; False when it replies to no question."""
        asked, author = message.reply_to_message, message.from_user
        if asked is None or author is None:
            return False
        name = _name(asked)
        kind = await self.database.read(lambda c: questions.kind_of(c, name))
        if kind is None:
            return False
        if not self._may(update, kind):
            await message.reply_text("You may look, but not decide.")
            return True
        if kind in _GUARDED and (wrong := await self._use_code(message.text or "", author.id)):
            await message.reply_text(f"{wrong} {_CODE}")
            return True
        try:
            _, payload = await self._take(name, author.id)
        except Refusal as refusal:
            await message.reply_text(str(refusal))
            return True
        try:
            words = await self.doings[kind]({**payload, "reply": message.text or ""}, author.id)
        except Refusal as mistake:
            if kind is Question.EDIT and not isinstance(mistake, StaleTap):
                await self._ask_again(message, name, payload, str(mistake), user=author.id)
                return True
            words = str(mistake)
        except Unavailable as trouble:
            words = str(trouble)
        await message.reply_html(escape(cut(words)))
        return True

    async def _ask_again(
        self, message: Message, name: str, payload: Mapping[str, Any], mistake: str, *, user: int
    ) -> None:
        """Say what was wrong, and take a reply to either message: the card's version lets one edit through."""
        at = self.clock.now()
        await self.database.write(lambda c: questions.reopen(c, name, at=at))
        html = f"{escape(cut(mistake, _MOST_MISTAKE))}\n\n{payload['again']}"
        await self.ask_in_words(message, Question.EDIT, payload, html, user=user)

    async def _use_code(self, code: str, user: int) -> str:
        at, actor = SystemClock().now(), journal.operator(user)
        return await self.database.write(lambda c: self.factor.take(c, code, at=at, actor=actor))

    async def _do(self, kind: Question, payload: Mapping[str, Any], user: int) -> tuple[str, bool]:
        """What became of it, and whether it was done as far as anybody knows."""
        try:
            return await self.doings[kind](payload, user), True
        except Refusal as refusal:
            return f"Not done. {refusal}", False
        except Unavailable as trouble:
            return str(trouble), False

    async def _take(self, name: str, user: int) -> tuple[Question, Mapping[str, Any]]:
        at = self.clock.now()
        return await self.database.write(lambda c: questions.answer(c, name, user_id=user, at=at))

    def _may(self, update: Update, kind: Question | None) -> bool:
        return may(self.gate.role(update), _LEAST.get(kind, Role.APPROVER))


def _name(asked: Message) -> str:
    """A question that is answered in words goes by the message that asked it."""
    return f"{asked.chat.id}:{asked.message_id}"
