"""The console: Telegram's side of the desk. It may come late, go away and come back; the engine never waits for it."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection
from telegram import BotCommand, BotCommandScopeChat, BotCommandScopeChatMember, Update
from telegram.error import BadRequest, Conflict, TelegramError
from telegram.ext import AIORateLimiter, Application, ApplicationBuilder, ApplicationHandlerStop, TypeHandler
from telegram.request import HTTPXRequest

from bot.access import Context, Gate
from bot.commands import COMMANDS, may
from bot.handlers import Handlers
from bot.listener import Listener
from bot.messenger import TelegramMessenger
from bot.updates import UpdatesRequest
from core import notifications
from core.clock import SystemClock, monotonic
from core.domain.notice import Notice
from core.engine.parts import Parts
from core.errors import Unavailable
from core.settings import Settings
from core.tls import trusted

log = structlog.get_logger()

_LONGEST_WAIT = 30.0
_BEFORE_ALL = -1
_CONFLICTS_TOLD = 3
_TOLD_AGAIN = timedelta(hours=1)
_SECOND_POLLER = (
    "Telegram answers 409: another program reads this bot's messages. Either a second desk runs with this token, or "
    "the token was stolen. Stop the other one, or revoke the token with @BotFather and set the new one. A thief can "
    "read what you write and show you false buttons, but he cannot tap in your place."
)
_FAILED = "That failed; the log says why. Look at the card or at /status before you try again."

BotApplication = Application[Any, Any, Any, Any, Any, Any]


def build_application(settings: Settings) -> BotApplication:
    """The bot, not yet connected. Everything that matters is a row, so it keeps no state of its own."""
    token = settings.bot_token
    if token is None:
        raise ValueError("settings.load checks that there is a bot token")
    builder = (
        ApplicationBuilder()
        .token(token.get_secret_value())
        .base_url(settings.telegram_api)
        .base_file_url(settings.telegram_api.removesuffix("/bot") + "/file/bot")
        .rate_limiter(AIORateLimiter(max_retries=1))
        .updater(None)
        .concurrent_updates(True)
        .request(HTTPXRequest(connection_pool_size=256, **_way_out(settings)))
        .get_updates_request(UpdatesRequest(connection_pool_size=1, **_way_out(settings)))
    )
    return builder.build()


def _way_out(settings: Settings) -> dict[str, Any]:
    return {"proxy": settings.telegram_proxy, "httpx_kwargs": {"verify": trusted()}}


class Console:
    """Connects, listens, and connects again. `run` returns only when it is cancelled."""

    def __init__(
        self, *, settings: Settings, application: BotApplication, messenger: TelegramMessenger, parts: Parts
    ) -> None:
        self._settings = settings
        self._application = application
        self._messenger = messenger
        self._parts = parts
        self._gate = gate = Gate(settings.operators, settings.telegram_group)
        dated_by = parts.clock if settings.uses_sandbox_telegram else SystemClock()
        self._listener = Listener(
            bot=application.bot,
            database=parts.database,
            gate=gate,
            clock=dated_by,
            handle=application.process_update,
        )
        self._conflicts = 0
        for handler in Handlers(settings, parts, gate, lambda: self._listener.hearing).all():
            application.add_handler(handler)
        application.add_handler(TypeHandler(Update, gate.check), group=_BEFORE_ALL)
        application.add_error_handler(self._report)

    async def run(self) -> None:
        """Stay connected, whatever Telegram does. Nothing that goes wrong in here may end the desk."""
        wait = 1.0
        try:
            while True:
                tried = monotonic()
                try:
                    await self._connect()
                    await self._listener.listen()
                except TelegramError as trouble:
                    wait = 1.0 if self._listener.heard_since(tried) else wait
                    await self._mind_conflicts(trouble)
                    log.warning("telegram_unreachable", why=type(trouble).__name__, seconds=wait)
                except Exception:
                    log.exception("console_failed", seconds=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
        finally:
            await self._disconnect()

    async def _connect(self) -> None:
        application = self._application
        await application.initialize()
        if not application.running:
            await application.start()
        self._messenger.is_connected = True
        await self._set_menus()
        log.info("telegram_connected")

    async def _set_menus(self) -> None:
        """Each operator has the commands of his role; nobody else has any."""
        bot, group = self._application.bot, self._settings.telegram_group
        with contextlib.suppress(TelegramError):
            await bot.delete_my_commands()
        for user_id, role in self._settings.operators.items():
            commands = [BotCommand(c.name, c.summary) for c in COMMANDS if may(role, c.role)]
            scopes = [BotCommandScopeChat(user_id), *([BotCommandScopeChatMember(group, user_id)] if group else [])]
            for scope in scopes:
                try:
                    await bot.set_my_commands(commands, scope)
                except TelegramError as error:  # one who never wrote to the bot, or blocked it, has no menu
                    log.info("menu_not_set", user=user_id, why=type(error).__name__)

    async def _mind_conflicts(self, trouble: TelegramError) -> None:
        """A desk that takes over meets one or two; more mean a second reader, or a thief."""
        self._conflicts = self._conflicts + 1 if isinstance(trouble, Conflict) else 0
        if self._conflicts != _CONFLICTS_TOLD:
            return
        log.error("second_poller", why=str(trouble))
        database, now = self._parts.database, self._parts.clock.now()

        def tell(connection: Connection) -> None:
            if not notifications.rang_lately(connection, Notice.SECOND_POLLER, now, within=_TOLD_AGAIN):
                notifications.ring(connection, Notice.SECOND_POLLER, at=now, words=_SECOND_POLLER)

        try:
            await database.write(tell)
        except Unavailable as trouble_here:
            log.warning("second_poller_not_told", why=str(trouble_here))
        self._parts.desk.nudge()

    async def _disconnect(self) -> None:
        self._messenger.is_connected = False
        await self._listener.finish()
        application = self._application
        if application.running:
            await application.stop()
        await application.shutdown()

    async def _report(self, update: object, context: Context) -> None:
        """A handler failed: say so, since silence would look like success. No later handler gets the update."""
        if _shows_that_already(context.error):
            raise ApplicationHandlerStop
        log.error("handler_failed", exc_info=context.error)
        if isinstance(update, Update) and self._gate.admits(update):
            try:
                await _say_it_failed(update)
            except TelegramError as trouble:
                log.warning("failure_not_told", why=type(trouble).__name__)
        raise ApplicationHandlerStop


def _shows_that_already(error: Exception | None) -> bool:
    """The second tap on one button asks for what the first has changed: nothing is left to do, nothing went wrong."""
    return isinstance(error, BadRequest) and "not modified" in error.message.lower()


async def _say_it_failed(update: Update) -> None:
    if update.callback_query is not None:
        try:
            await update.callback_query.answer(_FAILED, show_alert=True)
        except TelegramError:  # it was answered already, or is too old for that
            await update.callback_query.get_bot().send_message(update.callback_query.from_user.id, _FAILED)
    elif update.message is not None:
        await update.message.reply_text(_FAILED)
