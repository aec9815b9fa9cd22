"""`python -m bot`: the desk. It takes the lease, then runs the engine and the console side by side."""

import asyncio
import gc
import signal
import sys

import structlog

from bot.app import Console, build_application
from bot.messenger import TelegramMessenger
from core.db.schema import WrongSchema
from core.engine.desk import Desk
from core.engine.parts import build_desk
from core.engine.rules import LeaseLost
from core.errors import EX_CONFIG, BadSettings
from core.login_link import LoginLinks
from core.logs import set_up_logging
from core.settings import Settings, load, unheeded_in_file

EX_TEMPFAIL = 75
log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Run until told to stop. Raises whatever ended the engine or the console: a half-dead desk is not kept alive."""
    application = build_application(settings)
    messenger = TelegramMessenger(application.bot, settings.munshi_mode, LoginLinks(settings), settings.open_traces)
    parts = build_desk(settings, messenger)
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


def say_what_is_not_used(settings: Settings) -> None:
    """In paper mode an account of one's own is not signed in; without a word one would wonder whose orders go."""
    if settings.set_aside:
        why = "paper mode trades at the stand-in with its own account; they count in live mode"
        log.warning("dhan_settings_not_used", settings=", ".join(settings.set_aside), why=why)
    if slips := unheeded_in_file():
        log.warning("unknown_settings", names="; ".join(f"{name}: {cure}" for name, cure in slips.items()), file=".env")


def keep_what_is_here() -> None:
    """It stays as long as the desk runs; looking through it for garbage held orders up for a tenth of a second."""
    gc.collect()
    gc.freeze()


def stop_at_signal(desk: Desk) -> None:
    """SIGTERM and SIGINT end the desk cleanly; safety does not need it."""
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, desk.stop)


def main() -> int:
    try:
        settings = load()
        set_up_logging(settings, "desk")
        say_what_is_not_used(settings)
        asyncio.run(serve(settings))
    except (BadSettings, WrongSchema) as fault:
        sys.stderr.write(f"{fault}\n")
        return EX_CONFIG
    except ExceptionGroup as failures:
        if failures.subgroup(LeaseLost) is None:
            raise
        sys.stderr.write("another desk took over\n")
        return EX_TEMPFAIL
    return 0


if __name__ == "__main__":
    sys.exit(main())
