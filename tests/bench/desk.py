"""The desk as `python -m bot` runs it, but unpaced: the broker it talks to has no limits.

`python -m tests.bench.desk` has a chat that takes everything at once; with `console` it has the real one. With `paced`
it keeps the broker's limits, with `a-second=500` that one.
"""

import asyncio
import sys
from itertools import count

from bot.__main__ import keep_what_is_here, stop_at_signal
from bot.app import Console, build_application
from bot.messenger import TelegramMessenger
from core.engine.limiter import ORDER_CALLS, Window
from core.engine.parts import build_desk
from core.login_link import LoginLinks
from core.logs import set_up_logging
from core.notifications import Card, Message
from core.reports import AlertReport
from core.settings import Settings, load

_PACES = [Window(int(word.partition("=")[2]), 1) for word in sys.argv if word.startswith("a-second=")]
WINDOWS = ORDER_CALLS if "paced" in sys.argv else tuple(_PACES)


class SilentChat:
    """Takes what it is told, and shows it to nobody."""

    def __init__(self) -> None:
        self._ids = count(1)

    async def show_card(self, card: Card, report: AlertReport) -> int:  # noqa: ARG002 - the port's signature
        return card.message_id or next(self._ids)

    async def ring(self, message: Message) -> int:  # noqa: ARG002 - the port's signature
        return next(self._ids)


async def serve_in_silence(settings: Settings) -> None:
    parts = build_desk(settings, SilentChat(), windows=WINDOWS)
    try:
        await parts.desk.take_lease()
        stop_at_signal(parts.desk)
        keep_what_is_here()
        await parts.desk.run()
    finally:
        await parts.close()


async def serve_with_console(settings: Settings) -> None:
    application = build_application(settings)
    messenger = TelegramMessenger(application.bot, settings.munshi_mode, LoginLinks(settings))
    parts = build_desk(settings, messenger, windows=WINDOWS)
    console = Console(settings=settings, application=application, messenger=messenger, parts=parts)
    try:
        await parts.desk.take_lease()
        stop_at_signal(parts.desk)
        keep_what_is_here()
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(console.run())
            await parts.desk.run()
            talking.cancel()
    finally:
        await parts.close()


if __name__ == "__main__":
    found = load()
    set_up_logging(found, "desk")
    asyncio.run(serve_with_console(found) if "console" in sys.argv else serve_in_silence(found))
