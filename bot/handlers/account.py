"""The account: looking at it, exiting positions, and Dhan's own kill switch."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from telegram import InlineKeyboardMarkup, Message

from bot import account_views, keyboards, sign_in_views
from bot.handlers.pictures import CURVES, Pictures
from core import controls, exits, journal, pnl, questions
from core.broker.account import Account
from core.broker.port import Broker
from core.clock import Clock
from core.db.engine import Database
from core.domain.instrument import spoken_name
from core.domain.question import Question
from core.domain.sessions import Calendar
from core.engine.desk import Desk
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from core.exits import ExitPlan, Find, Seen, plan_exits, write_exits
from core.settings import Role

T = TypeVar("T")
_KILLED = "Dhan's kill switch is on: Dhan takes no orders of this account today."
_NOT_KILLED = (
    "Dhan's kill switch is off. On, it blocks all trading of the account for the day, at Dhan itself. "
    "Dhan takes it only with no open positions and no pending orders: /cancel and /flatten first."
)
"""Source of the condition: Dhan API v2, Trader's Control."""


class AccountCommands:
    """One method per command, named after it."""

    def __init__(
        self,
        *,
        account: Account,
        broker: Broker,
        database: Database,
        desk: Desk,
        clock: Clock,
        calendar: Calendar,
        find: Find,
        pictures: Pictures,
    ) -> None:
        self._account = account
        self._broker = broker
        self._database = database
        self._desk = desk
        self._clock = clock
        self._calendar = calendar
        self._find = find
        self._pictures = pictures

    async def funds(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await self._show(message, lambda: _shown(self._account.funds(), account_views.funds))

    async def positions(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await self._show(message, lambda: _shown(self._account.positions(), account_views.positions))

    async def holdings(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await self._show(message, lambda: _shown(self._account.holdings(), account_views.holdings))

    async def pnl(self, message: Message, arguments: list[str], _role: Role) -> None:
        """What it is now, which is kept for the curves; or a curve."""
        if arguments:
            await self._pictures.curve(message, arguments)
            return

        async def look() -> tuple[str, InlineKeyboardMarkup | None]:
            positions = await self._account.positions()
            now = self._clock.now()
            await self._database.write(lambda c: pnl.record(c, positions, now))
            return account_views.pnl(positions), CURVES

        await self._show(message, look)

    async def trades(self, message: Message, _arguments: list[str], _role: Role) -> None:
        await self._show(message, lambda: _shown(self._account.fills(), account_views.trades))

    async def flatten(self, message: Message, arguments: list[str], _role: Role) -> None:
        """List what would be exited, and ask."""
        symbol = " ".join(arguments).upper() or None

        async def ask() -> tuple[str, InlineKeyboardMarkup | None]:
            seen = await exits.look(self._account, self._broker, self._clock.now())
            plan, staying, holds = await self._database.read(lambda c: self._foresee(c, seen, symbol))
            held = [
                spoken_name(position.segment, position.symbol) for position in seen.positions if exits.is_open(position)
            ]
            if not plan.exits:
                return account_views.flatten(plan, symbol, held, await self._owned(plan)), None
            shown = account_views.flatten(plan, symbol, held, holds=holds, staying=staying)
            facts = [exit_.facts for exit_ in plan.exits]
            payload = {"symbol": symbol, "exits": facts, "book_is_whole": plan.book_is_whole}
            many = len(plan.exits)
            words = f"Yes, exit all {many}" if many > 1 else "Yes, exit it"
            return shown, keyboards.confirm(await self._ask(message, Question.FLATTEN, payload), words)

        await self._show(message, ask)

    def _foresee(self, connection: Connection, seen: Seen, symbol: str | None) -> tuple[ExitPlan, list[str], list[str]]:
        """The exits, what may open a position again after them, and what holds them up."""
        plan = self._plan(connection, seen, symbol)
        staying = exits.reopening(connection, plan.exits, seen.book, self._clock.now())
        return plan, staying, list(controls.holds(connection).values())

    async def _owned(self, plan: ExitPlan) -> list[str]:
        """The symbols of the holdings, where no position was found; none where Dhan does not say."""
        if plan.left or plan.not_open:
            return []
        try:
            return [holding.symbol for holding in await self._account.holdings()]
        except BrokerUnavailable:
            return []

    async def exit_positions(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The tap below /flatten: exits what still is as it was confirmed, and names the rest.

        Raises Refusal when nothing is.
        """
        try:
            seen = await exits.look(self._account, self._broker, self._clock.now())
        except SignInNeeded as trouble:
            raise Refusal(sign_in_views.needed(trouble)) from trouble
        if payload.get("book_is_whole", True) and not seen.book_is_whole:
            raise Refusal("An entry of Dhan's book cannot be read since you asked: look again.")

        def write(connection: Connection) -> str:
            plan = self._plan(connection, seen, payload["symbol"])
            going = [exit_ for exit_ in plan.exits if exit_.facts in payload["exits"]]
            if not going:
                raise Refusal("The positions have changed since you asked: look again.")
            alerts = write_exits(connection, going, actor=journal.operator(user_id), now=self._clock.now())
            as_confirmed = [exit_.facts for exit_ in going]
            changed = [
                spoken_name(facts["segment"], facts["symbol"])
                for facts in payload["exits"]
                if facts not in as_confirmed
            ]
            return account_views.exiting(alerts, going, changed, holds=controls.holds(connection).values())

        answer = await self._database.write(write)
        self._desk.nudge()
        return answer

    def _plan(self, connection: Connection, seen: Seen, symbol: str | None) -> ExitPlan:
        now, calendar = self._clock.now(), self._calendar
        return plan_exits(connection, seen, self._find, now=now, calendar=calendar, symbol=symbol)

    async def killswitch(self, message: Message, _arguments: list[str], _role: Role) -> None:
        """Say how Dhan's own switch stands, and offer the other way. It may have been thrown in Dhan's app."""

        async def ask() -> tuple[str, InlineKeyboardMarkup | None]:
            is_on = await self._account.is_stopped()
            await self._follow_switch(is_on, journal.DHAN)
            question = await self._ask(message, Question.KILL_SWITCH, {"on": not is_on})
            words = "Turn it off" if is_on else "Stop all trading today"
            return _KILLED if is_on else _NOT_KILLED, keyboards.confirm(question, words)

        await self._show(message, ask)

    async def switch(self, payload: Mapping[str, Any], user_id: int) -> str:
        """The tap below /killswitch. Raises Refusal in Dhan's words, BrokerUnavailable when nobody knows."""
        is_on = bool(payload["on"])
        try:
            said = await self._account.stop(is_on)
        except SignInNeeded as trouble:
            raise Refusal(sign_in_views.needed(trouble)) from trouble
        await self._follow_switch(is_on, journal.operator(user_id))
        return said or "Dhan took it"

    async def _follow_switch(self, is_on: bool, actor: str) -> None:
        now = self._clock.now()
        if await self._database.write(lambda c: controls.follow_kill_switch(c, is_on, at=now, actor=actor)):
            self._desk.nudge()

    async def _ask(self, message: Message, kind: Question, payload: Mapping[str, Any]) -> str:
        if message.from_user is None:
            raise PermissionError("a command passed the gate without an author")
        user, at = message.from_user.id, self._clock.now()
        return await self._database.write(
            lambda connection: questions.ask(connection, kind, payload, user_id=user, at=at)
        )

    async def _show(
        self, message: Message, look: Callable[[], Awaitable[tuple[str, InlineKeyboardMarkup | None]]]
    ) -> None:
        """What the account says; whoever passed the command on says why it says nothing."""
        text, buttons = await look()
        await message.reply_html(text, reply_markup=buttons, disable_web_page_preview=True)


async def _shown(found: Awaitable[T], view: Callable[[T], str]) -> tuple[str, None]:
    return view(await found), None
