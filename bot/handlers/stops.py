"""Stopping and letting go: stopping never asks twice, letting go does."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from telegram import Message

from bot.arguments import clock_usage
from bot.commands import may
from bot.handlers.questions import Questions
from bot.text import cut
from core import controls, journal, whatif
from core.broker.account import Account
from core.clock import Clock, PaperClock, SystemClock
from core.controls import Hold
from core.db.engine import Database
from core.domain.question import Question
from core.domain.sessions import spoken
from core.engine.desk import Desk
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from core.settings import Role, Settings

_PATIENCE = 3.0
"""Seconds for Dhan to tell how its own switch stands."""
_RELEASED = "Released: orders go out again"


class Stops:
    """One method per command, named after it."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        account: Account,
        desk: Desk,
        clock: Clock,
        questions: Questions,
    ) -> None:
        self._settings = settings
        self._database = database
        self._account = account
        self._desk = desk
        self._clock = clock
        self._questions = questions

    async def pause(self, message: Message, _arguments: list[str], _role: Role) -> None:
        now, actor = self._clock.now(), journal.operator(author(message))
        changed, on_the_way = await self._database.write(
            lambda c: (controls.pause(c, at=now, actor=actor), controls.on_the_way(c))
        )
        self._desk.nudge()
        words = "Paused: nothing is sent until /resume." if changed else "It was paused already."
        await message.reply_text(f"{words}{on_the_way}")

    async def resume(self, message: Message, _arguments: list[str], _role: Role) -> None:
        """Where Dhan's own switch is on, orders go on waiting for it, and the answer says so.

        Dhan may take its time over that: what stops the desk meanwhile is not lifted.
        """
        stood = await self._database.read(controls.asked_for)
        is_on, actor = await self._dhan_is_stopped(), journal.operator(author(message))
        now = self._clock.now()

        def let_go(connection: Connection) -> tuple[bool, Mapping[Hold, str]]:
            lifted = controls.resume(connection, at=now, actor=actor, kill_switch_is_on=is_on, stood=stood)
            return lifted, controls.holds(connection)

        lifted, held = await self._database.write(let_go)
        self._desk.nudge()
        if Hold.KILLED in held:
            lets_go = "No longer paused, but nothing goes out" if lifted else "Nothing goes out"
            await message.reply_text(f"{lets_go}: it was killed. An admin releases that with /unkill.")
        elif is_on:
            await message.reply_text(controls.KILL_SWITCH_IS_ON)
        elif held:
            await message.reply_text(cut(f"Nothing goes out yet: {next(iter(held.values()))}"))
        else:
            await message.reply_text("Orders go out again." if lifted else "It was not paused.")

    async def _dhan_is_stopped(self) -> bool:
        """False also where Dhan does not tell soon: the operator's word counts then, and Dhan says no by itself."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._account.is_stopped()
        except (BrokerUnavailable, SignInNeeded, TimeoutError):
            return False

    async def kill(self, message: Message, _arguments: list[str], _role: Role) -> None:
        now, actor = self._clock.now(), journal.operator(author(message))
        changed, on_the_way = await self._database.write(
            lambda c: (controls.kill(c, at=now, actor=actor), controls.on_the_way(c))
        )
        self._desk.nudge()
        stops = (
            "Killed: nothing is sent, exits included, until /unkill. Orders that Dhan has stay there; /cancel works."
        )
        words = stops if changed else "It was killed already. /unkill lets orders out again."
        await message.reply_text(f"{words}{on_the_way}")

    async def unkill(self, message: Message, _arguments: list[str], _role: Role) -> None:
        if Hold.KILLED not in await self._database.read(controls.holds):
            await message.reply_text("It was not killed.")
            return
        words = "Let orders out again? Each is checked anew, and one that should have gone long ago asks first."
        await self._questions.ask(message, Question.UNKILL, {}, words, "Yes, let them out", user=author(message))

    async def release(self, _payload: Mapping[str, Any], user_id: int) -> str:
        """The yes to /unkill."""
        now, actor = self._clock.now(), journal.operator(user_id)

        def let_go(connection: Connection) -> Mapping[Hold, str]:
            controls.unkill(connection, at=now, actor=actor)
            return controls.holds(connection)

        held = await self._database.write(let_go)
        self._desk.nudge()
        return f"Released, but nothing goes out yet: {next(iter(held.values()))}" if held else _RELEASED

    async def mode(self, message: Message, _arguments: list[str], _role: Role) -> None:
        if self._settings.paper:
            words = (
                "<b>PAPER</b> · no real money. Live needs MUNSHI_MODE=live, a data directory of its own, and /golive."
            )
        elif Hold.NOT_LIVE in await self._database.read(controls.holds):
            words = "<b>LIVE</b>, but not confirmed: nothing is sent until /golive."
        else:
            words = "<b>LIVE</b> · orders go to Dhan for real."
        await message.reply_html(words)

    async def golive(self, message: Message, _arguments: list[str], _role: Role) -> None:
        if self._settings.paper:
            await message.reply_text("This desk runs in paper mode. Live needs MUNSHI_MODE=live and a restart first.")
            return
        if Hold.NOT_LIVE not in await self._database.read(controls.holds):
            await message.reply_text("It is live already: orders go to Dhan for real.")
            return
        words = "From then on orders go to Dhan for real."
        await self._questions.ask(
            message, Question.GO_LIVE, {}, words, "Yes, trade with real money", user=author(message)
        )

    async def confirm_live(self, _payload: Mapping[str, Any], user_id: int) -> str:
        """The yes to /golive: the second switch of live mode."""
        now, actor = self._clock.now(), journal.operator(user_id)

        def confirm(connection: Connection) -> None:
            controls.put(connection, "live_confirmed", {"by": actor}, at=now, actor=actor)
            controls.lift_hold(connection, Hold.NOT_LIVE, at=now, actor=actor)

        await self._database.write(confirm)
        self._desk.nudge()
        return "LIVE: orders go to Dhan for real"

    async def clock(self, message: Message, arguments: list[str], role: Role) -> None:
        """Say what time the desk has; move it in paper mode."""
        if arguments:
            if not may(role, Role.APPROVER):
                raise Refusal("You may look at the clock; moving it needs the role approver.")
            if not isinstance(self._clock, PaperClock):
                raise Refusal("Live time cannot be moved.")
            word, before = arguments[0].lower(), self._clock.now()
            if len(arguments) > 1:
                raise Refusal(clock_usage(before))
            self._clock.jump_to(SystemClock().now() if word == "real" else _moment(arguments[0], before))
            self._desk.nudge()
        now = self._clock.now()
        usage = f"\n{clock_usage(now)}" if self._settings.paper else ""
        await message.reply_text(f"The desk has {spoken(now)} in India.{usage}")


def _moment(word: str, now: datetime) -> datetime:
    try:
        return whatif.read_moment(word, now)
    except Refusal as refusal:
        raise Refusal(f"{refusal} {clock_usage(now)}") from None


def author(message: Message) -> int:
    if message.from_user is None:
        raise PermissionError("a command passed the gate without an author")
    return message.from_user.id
