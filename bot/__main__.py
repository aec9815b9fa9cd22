"""`python -m bot`: the desk. It takes the lease, then runs the engine and the console side by side."""

import asyncio
import signal
import sys

from bot.app import Console, build_application
from bot.messenger import TelegramMessenger
from core.bootstrap import build_desk
from core.db.migration import WrongSchema
from core.engine.claim import LeaseLost
from core.errors import EX_CONFIG, BadSettings
from core.logs import set_up_logging
from core.settings import Settings, load

EX_TEMPFAIL = 75


async def serve(settings: Settings) -> None:
    """Run until cancelled. Raises whatever ended the engine."""
    application = build_application(settings)
    messenger = TelegramMessenger(application.bot, settings.munshi_mode)
    parts = build_desk(settings, messenger)
    console = Console(settings=settings, application=application, messenger=messenger, parts=parts)
    try:
        await parts.desk.take_lease()
        talking = asyncio.create_task(console.run())
        try:
            await parts.desk.run()
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
    finally:
        await parts.close()


def main() -> int:
    try:
        settings = load()
        set_up_logging(settings, "desk")
        asyncio.run(_until_told(settings))
    except (BadSettings, WrongSchema) as fault:
        sys.stderr.write(f"{fault}\n")
        return EX_CONFIG
    except ExceptionGroup as failures:
        if failures.subgroup(LeaseLost) is None:
            raise
        sys.stderr.write("another desk took over\n")
        return EX_TEMPFAIL
    return 0


async def _until_told(settings: Settings) -> None:
    """Stop cleanly at SIGTERM or SIGINT; safety does not need it."""
    serving = asyncio.create_task(serve(settings))
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    sys.exit(main())
