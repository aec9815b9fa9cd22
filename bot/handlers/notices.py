"""What an operator hears of, and the buttons below the readiness card."""

from datetime import datetime

from sqlalchemy import Connection
from telegram import Message, Update

from bot import notice_views
from bot.access import Context
from bot.arguments import read_quiet
from bot.callback_data import unpack
from bot.handlers.stops import author
from bot.handlers.taps import as_if_typed, say
from bot.notice_views import CURES, NOTIFY_USAGE
from core import journal, loudness
from core.domain.notice import Loudness, Loudnesses, Topic
from core.domain.readiness import Cure
from core.engine.daily import card
from core.engine.parts import Parts
from core.errors import Refusal
from core.settings import Mode, Role


class NoticeCommands:
    """One method per command, named after it. Everybody changes what comes into his own chat, and nobody else's."""

    def __init__(self, *, parts: Parts, mode: Mode) -> None:
        self._database = parts.database
        self._checkup = parts.checkup
        self._clock = parts.clock
        self._mode = mode

    async def notify(self, message: Message, arguments: list[str], _role: Role) -> None:
        chat, now = message.chat.id, self._clock.now()
        wished = await self._database.read(lambda c: loudness.read(c, chat))
        if arguments:
            wished = await self._change(chat, arguments, now, author(message))
        await message.reply_html(notice_views.notify(wished, now), reply_markup=notice_views.notify_buttons(wished))

    async def tap(self, update: Update, _context: Context) -> None:
        """A button below /notify: it names what it sets, so that a second tap sets nothing else."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or query.message is None or tap is None:
            return
        now = self._clock.now()
        try:
            words = tap.nonce.replace(".", " ", 1).split()
            wished = await self._change(query.message.chat.id, words, now, query.from_user.id)
        except Refusal as refusal:
            await say(query, str(refusal), alarm=True)
            return
        await say(query, "Done")
        await query.edit_message_text(
            notice_views.notify(wished, now), "HTML", reply_markup=notice_views.notify_buttons(wished)
        )

    async def _change(self, chat: int, words: list[str], now: datetime, user: int) -> Loudnesses:
        """Raises Refusal."""
        actor, said = journal.operator(user), " ".join(words)

        def change(connection: Connection) -> Loudnesses:
            wished = _wish(loudness.read(connection, chat), words)
            loudness.save(connection, chat, wished, at=now, actor=actor, words=said)
            return wished

        return await self._database.write(change)

    async def cure(self, update: Update, context: Context) -> None:
        """A button below the readiness card: the command that cures the line, or one more look."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None or tap.nonce not in set(Cure):
            return
        cure = Cure(tap.nonce)
        if cure is not Cure.LOOK_AGAIN:
            await as_if_typed(update, context, CURES[cure][1])
            return
        await say(query, "Looking")
        facts = card(await self._checkup.look(), self._clock.now())
        await query.edit_message_text(
            notice_views.readiness(facts, self._mode), "HTML", reply_markup=notice_views.cure_buttons(facts)
        )


def _wish(wished: Loudnesses, words: list[str]) -> Loudnesses:
    match [word.lower() for word in words]:
        case ["quiet", "off"]:
            return Loudnesses(topics=wished.topics)
        case ["quiet", span]:
            return Loudnesses(topics=wished.topics, quiet=read_quiet(span))
        case [topic, wish] if topic in set(Topic) and wish in set(Loudness):
            try:
                return wished.wish(Topic(topic), Loudness(wish))
            except ValueError as never:
                raise Refusal(str(never)) from None
        case _:
            topics = ", ".join(Topic)
            raise Refusal(
                f"Say what, and on, silent or off. There are {topics} and quiet. For example:\n{NOTIFY_USAGE}"
            )
