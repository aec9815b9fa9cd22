"""`/sources` and the buttons below it: every button stands for words that can be typed as well."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection
from telegram import InlineKeyboardMarkup, Message, Update

from bot import keyboards, source_words
from bot.access import Context, Gate
from bot.callback_data import unpack
from bot.commands import may
from bot.handlers.taps import say
from bot.source_words import SourceFacts, usage
from core import journal, questions, sources
from core.db import sources as rows
from core.domain.question import Question
from core.domain.source import Source
from core.engine.parts import Parts
from core.errors import Refusal, StaleTap, Unavailable
from core.settings import Role, Settings

_STOPS = ("pause", "resume")
"""What an approver may do, too: the rest changes who needs to be asked, and needs an admin."""

_ASKED = {"remove": "Its keys open nothing any more, and what waits of it asks again. Its history stays."}


class SourceCommands:
    def __init__(self, *, settings: Settings, parts: Parts, gate: Gate) -> None:
        self._url = settings.web_url
        self._parts = parts
        self._database = parts.database
        self._gate = gate

    async def sources(self, message: Message, arguments: list[str], role: Role) -> None:
        match arguments:
            case []:
                text, buttons = await self._list()
            case ["add", name]:
                _check(role, Role.ADMIN)
                return await self._add(message, source_words.read_name(name))
            case ["add", *_]:
                raise usage("Which name?")
            case [name]:
                text, buttons = await self._show(name)
            case [name, *words]:
                source = await self._database.read(lambda c: sources.find(c, name))
                return await self._do(message, source, words, role)
            case _:
                raise usage("That is nothing to do with a source.")
        return await _say(message, text, buttons)

    async def tap(self, update: Update, _context: Context) -> None:
        """A button below the list, or below one source; it is void once the source has changed."""
        query = update.callback_query
        tap = unpack(query.data) if query else None
        if query is None or tap is None:
            return
        number, *words = tap.nonce.split(",")
        message, role = cast("Message", query.message), self._gate.role(update)
        try:
            source = await self._database.read(lambda c: _tapped(c, number, tap.version if words else None))
            if words:
                await self._do(message, source, words, role, user=query.from_user.id)
            else:
                await _say(message, *await self._show(source.name))
            await query.answer()
        except (Refusal, Unavailable) as refusal:
            await say(query, str(refusal), alarm=True)

    async def confirmed(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The tap below a question. Raises Refusal, StaleTap."""
        at, actor = self._parts.clock.now(), journal.operator(user_id)

        def apply(connection: Connection) -> str:
            source = rows.get(connection, payload["source"])
            if source is None or source.version != payload["version"]:
                raise StaleTap("This source has changed since you asked: look again.")
            return self._apply(connection, source, payload["words"], at=at, actor=actor)

        told = await self._database.write(apply)
        self._parts.desk.nudge()
        return told

    async def _do(
        self, message: Message, source: Source, words: Sequence[str], role: Role, user: int | None = None
    ) -> None:
        """Tightening takes effect at once, loosening and removing after a tap."""
        verb = words[0].lower()
        _check(role, Role.APPROVER if verb in _STOPS else Role.ADMIN)
        user = user or _user(message)
        at, actor = self._parts.clock.now(), journal.operator(user)
        if verb == "rotate" and len(words) == 1:
            key = await self._database.write(lambda c: sources.rotate(c, source, at=at, actor=actor))
            await _say(message, source_words.new_key(source.name, f"{self._url}/webhook/{key}"))
        elif verb in _ASKED or _loosens(source, words):
            text = f"{source.name}: {' '.join(words)}\n{_ASKED.get(verb, 'This lets more go without you.')}"
            await self._ask(message, source, words, user=user, at=at, text=text)
        else:
            told = await self._database.write(lambda c: self._apply(c, source, words, at=at, actor=actor))
            self._parts.desk.nudge()
            await message.reply_text(told)

    def _apply(self, connection: Connection, source: Source, words: Sequence[str], *, at: datetime, actor: str) -> str:
        match [words[0].lower(), *words[1:]]:
            case ["pause"]:
                sources.pause(connection, source, at=at, actor=actor)
                return f"{source.name} is paused: its alerts are kept and refused, and what waits of it asks first."
            case ["resume"]:
                sources.resume(connection, source, at=at, actor=actor)
                return f"{source.name} goes on."
            case ["retire"]:
                return source_words.retired(source.name, sources.retire(connection, source, at=at, actor=actor))
            case ["remove"]:
                sources.remove(connection, source, at=at, actor=actor)
                return f"{source.name} is removed; its history stays."
            case ["silence", *rest]:
                watch = source_words.read_watch(rest)
                rows.watch(connection, source.id, watch, at)
                return (
                    f"{source.name}: silence is told after {watch.words}." if watch else f"{source.name}: not watched."
                )
            case _:
                after = source_words.change(source, words)
                if after == source:
                    raise Refusal("It is so already.")
                said = f"Source {source.name}: {' '.join(words)}"
                sources.save(connection, source, after, at=at, actor=actor, words=said)
                return f"Set. {said}"

    async def _ask(
        self, message: Message, source: Source, words: Sequence[str], *, user: int, at: datetime, text: str
    ) -> None:
        payload = {"source": source.id, "version": source.version, "words": list(words)}
        question = await self._database.write(lambda c: questions.ask(c, Question.SOURCE, payload, user_id=user, at=at))
        await message.reply_text(text, reply_markup=keyboards.confirm(question, "Yes, do it"))

    async def _add(self, message: Message, name: str) -> None:
        at, actor = self._parts.clock.now(), journal.operator(_user(message))
        source, key = await self._database.write(lambda c: sources.add(c, name, at=at, actor=actor))
        await _say(message, source_words.new_key(source.name, f"{self._url}/webhook/{key}"))
        await _say(message, *await self._show(source.name))

    async def _list(self) -> tuple[str, InlineKeyboardMarkup]:
        found = await self._database.read(lambda c: [_facts(c, source) for source in rows.all_in_use(c)])
        return source_words.listed(found), keyboards.source_list([facts.source for facts in found])

    async def _show(self, name: str) -> tuple[str, InlineKeyboardMarkup]:
        facts = await self._database.read(lambda c: _facts(c, sources.find(c, name)))
        can_be_removed = not facts.is_default
        return source_words.shown(facts), keyboards.source(facts.source, len(facts.keys), can_be_removed=can_be_removed)


def _tapped(connection: Connection, number: str, version: int | None) -> Source:
    """The source that a button belongs to. Raises Refusal, StaleTap."""
    source = rows.get(connection, int(number)) if number.isdecimal() else None
    if source is None or source.removed_at is not None:
        raise Refusal("This source was removed.")
    if version not in (None, source.version):
        raise StaleTap("This source has changed since: /sources")
    return source


def _facts(connection: Connection, source: Source) -> SourceFacts:
    return SourceFacts(
        source=source,
        keys=rows.keys_of(connection, source.id),
        watched=rows.watch_on(connection, source.id),
        is_default=source.id == rows.default(connection).id,
    )


def _loosens(source: Source, words: Sequence[str]) -> bool:
    """Raises Refusal with the usage when the words are no change of a source."""
    if words[0].lower() in ("pause", "resume", "retire", "remove") and len(words) == 1:
        return False
    if words[0].lower() == "silence":
        source_words.read_watch(words[1:])
        return False
    return source_words.loosens(source, source_words.change(source, words))


def _check(role: Role, least: Role) -> None:
    if not may(role, least):
        raise Refusal(f"You may look at it; changing it needs the role {least}.")


def _user(message: Message) -> int:
    if message.from_user is None:
        raise PermissionError("a command passed the gate without an author")
    return message.from_user.id


async def _say(message: Message, html: str, buttons: InlineKeyboardMarkup | None = None) -> None:
    await message.reply_html(html, reply_markup=buttons, disable_web_page_preview=True)
