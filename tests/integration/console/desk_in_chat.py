"""A whole desk and the outside world in one process, over HTTP: four people write and tap, the bot answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from bot.app import Console, build_application
from bot.messenger import TelegramMessenger
from core import controls, intake
from core.broker.dhan.instrument_counts import LEAST_ON_PAPER
from core.clock import INDIA, monotonic
from core.db import alerts, logins, orders
from core.domain.login import LoginState, Way
from core.domain.order import Order, OrderState
from core.engine.parts import Parts, build_desk
from core.intake import Arrival, Intake
from core.ladder import BETWEEN_TRIES
from core.login_link import LoginLinks
from core.settings import PaperAccount, Settings, load
from tests.builders import fresh_address, owes_words
from tests.integration.paper_telegram import Sandbox, running
from tests.patience import PATIENCE

ADMIN, APPROVER, VIEWER, STRANGER = 42, 43, 44, 7
OPERATORS = f"{ADMIN}:admin,{APPROVER}:approver,{VIEWER}:viewer"
SATURDAY, TUESDAY = "2026-11-28T14:00", "2026-12-01T10:30"


@dataclass
class Chats:
    """`sandbox` is the outside world, `parts` the desk inside."""

    settings: Settings
    sandbox: Sandbox
    parts: Parts
    _serial: "count[int]" = field(default_factory=lambda: count(1))
    _seen: dict[int, tuple[str, list[dict[str, Any]]]] = field(default_factory=dict[int, Any])
    _said_before: dict[int, int] = field(default_factory=dict[int, int])
    """By person, the last message of an earlier test's."""

    async def begin_anew(self) -> None:
        """Once all is told, on the same Saturday; what was told by then is nothing to a test that begins."""
        self.jump(SATURDAY)
        await self.until(self._owes_nothing, "all is told")
        for user in (ADMIN, APPROVER, VIEWER, STRANGER):
            said = await self._all_messages(user)
            self._said_before[user] = max((message["message_id"] for message in said), default=0)

    async def _owes_nothing(self) -> bool:
        return not await self.parts.database.read(owes_words)

    # What TradingView does

    async def fire(self, *legs: dict[str, str], wait: bool = True) -> int:
        """An alert as web would have stored it, decided by the desk unless told not to wait; its number."""
        fired = self.parts.clock.now()
        body = {
            "alertType": "multi_leg_order",
            "order_legs": [{**leg, "sort_order": str(place)} for place, leg in enumerate(legs or (a_leg(),), start=1)],
            "meta": {"timenow": f"{fired.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "serial": next(self._serial)},
        }
        text = json.dumps(body)
        source = await self.parts.database.read(alerts.source_id)
        arrival = Arrival(
            digest=intake.digest(text.encode()), text=text, source_id=source, received_at=fired, fired_at=fired
        )
        store = Intake(self.parts.database)
        receipt = await store.store(arrival)
        store.close(receipt, fired)
        await store.flush()
        self.parts.desk.nudge()
        if wait:
            await self.until(lambda: self.orders(receipt.row_id), "the alert is decided")
        return receipt.row_id

    async def orders(self, alert: int) -> list[Order]:
        return await self.parts.database.read(lambda c: orders.of_alert(c, alert))

    async def everything(self) -> list[Order]:
        return await self.parts.database.read(lambda c: orders.recent(c, 500))

    async def version(self, alert: int) -> int:
        """The version of the alert's card that counts."""
        stored = await self.parts.database.read(lambda c: alerts.get(c, alert))
        assert stored
        return stored.card_version

    async def menu(self, scope: dict[str, Any]) -> list[dict[str, str]]:
        path = f"/telegram/bot{PaperAccount.BOT_TOKEN}/getMyCommands"
        return (await self.sandbox.http.post(path, json={"scope": scope})).json()["result"]

    async def is_in(self, alert: int, state: OrderState) -> None:
        async def there() -> bool:
            await self._wait_out_a_lost_sign_in()
            return all(order.state is state for order in await self.orders(alert))

        await self.until(there, f"alert {alert} is {state}")

    async def _wait_out_a_lost_sign_in(self) -> None:
        """A jump of the clock, or a machine that stood still, may cost a sign-in; the desk rests 130 s of its own clock
        before the next.
        """
        held, last = await self.parts.database.read(lambda c: (controls.holds(c), logins.last_try(c, Way.TOTP)))
        if controls.Hold.SIGNED_OUT not in held or last is None or last.state is LoginState.REQUESTED:
            return
        if abs(self.parts.clock.now() - last.requested_at) < BETWEEN_TRIES:
            self.sandbox.clock.jump_to(last.requested_at + BETWEEN_TRIES)  # on, and never back
            self.parts.desk.nudge()

    def jump(self, to: str) -> None:
        self.sandbox.clock.jump_to(datetime.fromisoformat(to).replace(tzinfo=INDIA))
        self.parts.desk.nudge()

    # What people do

    async def says(self, text: str, user: int = ADMIN, **more: Any) -> int:
        """Write to the bot; the message's number."""
        return (await self.sandbox.act(text=text, user_id=user, **more))["message"]["message_id"]

    async def ask(self, text: str, *words: str, user: int = ADMIN) -> str:
        """Write to the bot, and wait for an answer with these words."""
        mine = await self.says(text, user)
        return await self.answered(mine, *words, user=user, to=text)

    async def answered(self, after: int, *words: str, user: int = ADMIN, to: str = "") -> str:
        async def answer() -> str | None:
            later = [m for m in await self.messages(user) if m["message_id"] > after]
            return next((m["text"] for m in later if all(word in m["text"] for word in words)), None)

        return await self.until(answer, f"{to} is answered with {words}, in {user}'s chat")

    async def reply(self, to: dict[str, Any], text: str, user: int = ADMIN) -> int:
        """Answer a message of the bot's."""
        return await self.says(text, user, reply_to=to["message_id"])

    async def messages(self, user: int = ADMIN) -> list[dict[str, Any]]:
        """What the bot wrote to that person in this test, oldest first."""
        before = self._said_before.get(user, 0)
        return [message for message in await self._all_messages(user) if message["message_id"] > before]

    async def _all_messages(self, user: int) -> list[dict[str, Any]]:
        state = self.sandbox.chat.feed.state
        if self._seen.get(user, ("", []))[0] != state:
            listed = await self.sandbox.http.get("/telegram/sandbox/messages", params={"chat_id": user, "latest": 60})
            self._seen[user] = state, [message for message in listed.json()["messages"] if message["from_bot"]]
        return self._seen[user][1]

    async def newest(self, *words: str, user: int = ADMIN) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            messages = reversed(await self.messages(user))
            return next((m for m in messages if all(word in m["text"] for word in words)), None)

        return await self.until(found, f"a message to {user} says {words}")

    async def card(self, alert: int, *words: str, user: int = ADMIN) -> dict[str, Any]:
        """The alert's card, once it shows these words."""
        return await self.newest(f"alert {alert} ·", "Id: " if not words else "", *words, user=user)

    async def tap(self, message: dict[str, Any], button: str, user: int = ADMIN) -> str:
        """Tap the button that begins so, once the message has it; what the bot answers."""

        async def found() -> str | None:
            now = next((m for m in await self.messages(user) if m["message_id"] == message["message_id"]), message)
            shown = [*message["buttons"], *now["buttons"]]
            return next((b["callback_data"] for b in shown if b["text"].startswith(button)), None)

        return await self.touch(message, await self.until(found, f"a button says {button}"), user)

    async def touch(self, message: dict[str, Any], data: str, user: int = ADMIN, chat: int | None = None) -> str:
        action = {"kind": "tap", "message_id": message["message_id"], "data": data, "user_id": user}
        query = (await self.sandbox.act(**action, chat_id=chat or message["chat_id"]))["query_id"]
        [answer] = await self.until(lambda: self._answer(query), f"the tap {data} of {user} is answered")
        return answer

    async def touch_unheard(self, message: dict[str, Any], data: str, user: int, chat: int | None = None) -> str:
        """A tap that nobody may answer; the query's id."""
        action = {"kind": "tap", "message_id": message["message_id"], "data": data, "user_id": user}
        return (await self.sandbox.act(**action, chat_id=chat or message["chat_id"]))["query_id"]

    async def was_answered(self, query: str) -> bool:
        return bool(await self._answer(query))

    async def _answer(self, query: str) -> list[str]:
        """The answer's text, which may be empty; nothing while there is none."""
        found = self.sandbox.chat.people.answers
        return [found[query]] if query in found else []

    async def until(self, condition: Callable[[], Awaitable[Any]], words: str) -> Any:
        end = monotonic() + PATIENCE
        while monotonic() < end:
            if found := await condition():
                return found
            await asyncio.sleep(0.015)
        raise AssertionError(f"not within {PATIENCE:.0f} s: {words}\n{await self._scene()}")

    async def _scene(self) -> str:
        """What stands in the way, for the one who reads of a failure."""
        held, last_login = await self.parts.database.read(
            lambda c: (controls.holds(c), [login for way in Way if (login := logins.last_try(c, way))])
        )
        open_orders = [(o.alert_id, o.state, o.reason) for o in await self.everything() if not o.state.is_final]
        said = [message["text"][:300] for message in (await self.messages())[-5:]]
        lines = [
            f"It is {self.parts.clock.now()}",
            f"held by {held}",
            f"signed in: {last_login}",
            f"open: {open_orders}",
        ]
        return "\n".join([*lines, "said last:", *said])


def a_leg(symbol: str = "RELIANCE", **changes: str) -> dict[str, str]:
    leg = {"transactionType": "B", "orderType": "MKT", "quantity": "1", "exchange": "NSE", "symbol": symbol}
    return {**leg, "instrument": "EQ", "productType": "C", "price": "0", "amoTime": "OPEN_30", **changes}


def settings_of(sandbox: Sandbox, folder: Path, **more: Any) -> Settings:
    url = sandbox.url
    urls = {
        "dhan_api_url": f"{url}/dhan/v2",
        "dhan_auth_url": f"{url}/dhan-login",
        "dhan_instruments_url": f"{url}/dhan/api-data/api-scrip-master-detailed.csv",
        "dhan_order_updates_url": f"{url.replace('http', 'ws')}/dhan/order-updates",
        "telegram_api_url": f"{url}/telegram/bot",
    }
    return load(munshi_data_dir=folder, telegram_operators=OPERATORS, **urls, **more)


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncGenerator[Chats]:
    """A desk that is ready for business on a Saturday, with four people who wrote to the bot before."""
    fresh_address(folder)
    async with running(folder, in_real_time=True) as sandbox:
        for user in (ADMIN, APPROVER, VIEWER, STRANGER):
            await sandbox.act(text="hello", user_id=user)
        sandbox.clock.jump_to(datetime.fromisoformat(SATURDAY).replace(tzinfo=INDIA))
        async with desk(sandbox, settings_of(sandbox, folder, **settings)) as chats:
            yield chats


@asynccontextmanager
async def desk(sandbox: Sandbox, settings: Settings, *held: controls.Hold) -> AsyncGenerator[Chats]:
    """One life of the desk, as `python -m bot` runs it, held by nothing else; ended as by SIGTERM."""
    application = build_application(settings)
    messenger = TelegramMessenger(application.bot, settings.munshi_mode, LoginLinks(settings))
    parts = build_desk(settings, messenger, least=LEAST_ON_PAPER)
    console = Console(settings=settings, application=application, messenger=messenger, parts=parts)
    chats = Chats(settings, sandbox, parts)
    await parts.desk.take_lease()
    talking, working = asyncio.create_task(console.run()), asyncio.create_task(parts.desk.run())
    try:
        await chats.until(lambda: _is_held_by(chats, set(held)), f"nothing holds the desk but {held}")
        yield chats
    finally:
        talking.cancel()
        parts.desk.stop()
        with suppress(asyncio.CancelledError):
            await talking
        await working
        await parts.close()


async def _is_held_by(chats: Chats, held: set[controls.Hold]) -> bool:
    return set(await chats.parts.database.read(controls.holds)) == held
