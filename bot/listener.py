"""The desk's ear at Telegram: our own loop of getUpdates, since the library's ends for good at one 401 or 404.

An update is written down before it has an effect, and has one at most. What waited while nobody listened is old:
messages older than a minute are listed, not obeyed, except those that stop things.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog
from telegram import Bot, Message, Update
from telegram.error import TelegramError

from bot.access import Gate
from bot.commands import STOPS
from core.clock import Clock, SystemClock, monotonic
from core.db import updates
from core.db.engine import Database
from core.db.trouble import CommitInDoubt
from core.errors import Unavailable

log = structlog.get_logger()

ALLOWED = ["message", "callback_query", "my_chat_member"]
POLL_SECONDS = 20
DEAF_AFTER = 15.0
OLD = timedelta(minutes=1)
_MOST = 100
_RESTS = 1.0
_COMMAND = re.compile(r"/[a-z]{1,32}")


class Listener:
    """`handle` does what one update asks for. `clock` is the one that messages are dated by."""

    def __init__(
        self, *, bot: Bot, database: Database, gate: Gate, clock: Clock, handle: Callable[[Update], Awaitable[None]]
    ) -> None:
        self._bot = bot
        self._database = database
        self._gate = gate
        self._clock = clock
        self._handle = handle
        self._wall = SystemClock()
        self._offset: int | None = None
        self._heard_at: float | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._has_told = False
        self._doubted: set[datetime] = set()

    @property
    def hearing(self) -> str:
        """How the ear is, in words."""
        if self._heard_at is None:
            return "not heard from yet"
        silence = monotonic() - self._heard_at
        words = f"heard {int(silence)} s ago"
        return f"deaf: {words}" if silence > POLL_SECONDS + DEAF_AFTER else words

    def heard_since(self, moment: float) -> bool:
        return self._heard_at is not None and self._heard_at > moment

    async def listen(self) -> None:
        """Hand on updates until Telegram fails, which raises TelegramError; a call that hangs counts as failing."""
        if not self._has_told:
            await self._tell_what_was_cut_off()
        await self._catch_up()
        while True:
            await self._take(await self._fetch(POLL_SECONDS), old=False)

    async def finish(self) -> None:
        """Let what is under way end."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _catch_up(self) -> None:
        while waiting := await self._fetch(0):
            await self._take(waiting, old=True)

    async def _fetch(self, seconds: int) -> Sequence[Update]:
        try:
            async with asyncio.timeout(seconds + DEAF_AFTER):
                found = await self._bot.get_updates(self._offset, limit=_MOST, timeout=seconds, allowed_updates=ALLOWED)
        except TimeoutError:
            raise TelegramError("getUpdates hangs") from None
        self._heard_at = monotonic()
        return found

    async def _take(self, found: Sequence[Update], *, old: bool) -> None:
        """Start on those that are new, and confirm them all with the next call."""
        if not found:
            return
        at = self._wall.now()
        rows = [(update.update_id, _chat(update), _asked(update)) for update in found]
        try:
            fresh = await self._database.write(lambda c: updates.take(c, rows, at, doubted=self._doubted))
        except Unavailable as trouble:
            if isinstance(trouble, CommitInDoubt):
                self._doubted.add(at)  # perhaps they are written down; they had no effect, and come again
            log.warning("updates_wait", why=str(trouble))
            await asyncio.sleep(_RESTS)
            return
        self._doubted.clear()
        self._offset = found[-1].update_id + 1
        unobeyed: defaultdict[int, list[str]] = defaultdict(list)
        for update in (update for update in found if update.update_id in fresh):
            if old and self._is_old(update):
                unobeyed[_chat(update)].append(_asked(update))
                await self._note_done(update)
                continue
            task = asyncio.create_task(self._obey(update))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        for chat, asked in unobeyed.items():
            words = "I was away when you wrote this, and did not do it, since it may be out of date"
            await self._tell(chat, f"{words}: {', '.join(asked)}. Send it again if you still want it.")

    async def _obey(self, update: Update) -> None:
        await self._handle(update)
        await self._note_done(update)

    async def _note_done(self, update: Update) -> None:
        at = self._wall.now()
        try:
            await self._database.write(lambda c: updates.done(c, update.update_id, at))
        except Unavailable as trouble:
            log.warning("update_not_noted", why=str(trouble))

    def _is_old(self, update: Update) -> bool:
        """Only an operator's message is; a tap carries no time, and its card's version says whether it still counts."""
        message = update.message
        if message is None or not self._gate.admits(update) or _asked(update).removeprefix("/") in STOPS:
            return False
        return self._clock.now() - message.date > OLD

    async def _tell_what_was_cut_off(self) -> None:
        """Once in a process's life: what is open later is under way, not cut off."""
        at = self._wall.now()
        try:
            found = await self._database.write(lambda c: updates.cut_off(c, at))
        except Unavailable as trouble:
            log.warning("not_known_what_was_cut_off", why=str(trouble))
            return
        self._has_told = True
        for chat, asked in found.items():
            if not self._gate.speaks_in(chat):
                continue
            words = f"The desk stopped while it did this: {', '.join(asked)}. See whether it was done."
            await self._tell(chat, words)

    async def _tell(self, chat: int, words: str) -> None:
        try:
            await self._bot.send_message(chat, words)
        except TelegramError as trouble:
            log.warning("not_told", chat=chat, why=type(trouble).__name__)


def _chat(update: Update) -> int:
    return update.effective_chat.id if update.effective_chat else 0


def _asked(update: Update) -> str:
    """The command alone, as a group may write it, too (`/Kill@its_bot`): what else was written may be a secret."""
    if update.callback_query is not None:
        return "a tap"
    first = next(iter(_text(update.message).split()), "").partition("@")[0].lower()
    return first if _COMMAND.fullmatch(first) else "a message"


def _text(message: Message | None) -> str:
    return (message.text or "") if message is not None else ""
