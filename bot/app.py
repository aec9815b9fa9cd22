"""The console: Telegram's side of the desk. It may come late, go away and come back; the engine never waits for it."""

import asyncio
from typing import Any

import structlog
from telegram import BotCommand, BotCommandScopeChat, Update
from telegram.error import TelegramError
from telegram.ext import (
    AIORateLimiter,
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)
from telegram.request import HTTPXRequest

from bot.access import Context, Gate
from bot.callback_data import Verb
from bot.commands import COMMANDS, may
from bot.handlers.account import AccountCommands
from bot.handlers.cards import CardTaps
from bot.handlers.desk import DeskCommands
from bot.handlers.market import MarketCommands
from bot.handlers.orders import OrderCommands
from bot.handlers.questions import Answers
from bot.handlers.sign_in import SignInCommands
from bot.messenger import TelegramMessenger
from core.domain.question import Question
from core.engine.parts import Parts
from core.settings import Settings
from core.tls import trusted

log = structlog.get_logger()

ALLOWED = ["message", "callback_query", "my_chat_member"]
POLL_SECONDS = 20
_LONGEST_WAIT = 30.0
_BEFORE_ALL = -1
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
        .request(_requests(settings, connections=256))
        .get_updates_request(_requests(settings, connections=1))
    )
    return builder.build()


def _requests(settings: Settings, *, connections: int) -> HTTPXRequest:
    return HTTPXRequest(
        connection_pool_size=connections, proxy=settings.telegram_proxy, httpx_kwargs={"verify": trusted()}
    )


class Console:
    """Connects, listens, and connects again. `run` returns only when it is cancelled."""

    def __init__(
        self, *, settings: Settings, application: BotApplication, messenger: TelegramMessenger, parts: Parts
    ) -> None:
        self._settings = settings
        self._application = application
        self._messenger = messenger
        gate = Gate(settings.operators)
        taps = CardTaps(database=parts.database, desk=parts.desk, clock=parts.clock, calendar=parts.calendar, gate=gate)
        sign_in = SignInCommands(settings, parts, gate)
        market = MarketCommands(settings=settings, parts=parts, gate=gate)
        orders = OrderCommands(
            database=parts.database, desk=parts.desk, clock=parts.clock, find=parts.instruments.named
        )
        account = AccountCommands(
            account=parts.account,
            database=parts.database,
            desk=parts.desk,
            clock=parts.clock,
            calendar=parts.calendar,
            find=parts.instruments.named,
        )
        commands = DeskCommands(
            settings=settings,
            database=parts.database,
            desk=parts.desk,
            clock=parts.clock,
            gate=gate,
            broker=parts.broker,
            others=(market, sign_in, orders, account),
        )
        doings = {
            Question.MODIFY: orders.change,
            Question.FLATTEN: account.exit_positions,
            Question.KILL_SWITCH: account.switch,
        }
        answers = Answers(database=parts.database, clock=parts.clock, gate=gate, doings=doings)
        application.add_handler(TypeHandler(Update, gate.check), group=_BEFORE_ALL)
        application.add_handler(MessageHandler(filters.TEXT, commands.handle))
        application.add_handler(CallbackQueryHandler(commands.confirm_live, pattern=f"^{Verb.GO_LIVE}$"))
        application.add_handler(CallbackQueryHandler(answers.handle, pattern=f"^{Verb.YES}:"))
        application.add_handler(CallbackQueryHandler(sign_in.confirm_address, pattern=f"^{Verb.SET_IP}:"))
        application.add_handler(CallbackQueryHandler(market.confirm, pattern=f"^({Verb.CALENDAR}|{Verb.POLICY}):"))
        application.add_handler(CallbackQueryHandler(market.more_days, pattern=f"^{Verb.MORE_DAYS}:"))
        application.add_handler(CallbackQueryHandler(taps.handle))
        application.add_error_handler(_report)

    async def run(self) -> None:
        """Stay connected, whatever Telegram does."""
        wait = 1.0
        try:
            while True:
                try:
                    await self._connect()
                    wait = 1.0
                    await self._listen()
                except TelegramError as trouble:
                    log.warning("telegram_unreachable", why=type(trouble).__name__, seconds=wait)
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
        for user_id, role in self._settings.operators.items():
            commands = [BotCommand(c.name, c.summary) for c in COMMANDS if may(role, c.role)]
            try:
                await application.bot.set_my_commands(commands, BotCommandScopeChat(user_id))
            except TelegramError as error:  # one who never wrote to the bot, or blocked it, has no menu
                log.info("menu_not_set", user=user_id, why=type(error).__name__)
        log.info("telegram_connected")

    async def _listen(self) -> None:
        """Hand on updates until Telegram fails. Our own loop, since the library's ends for good at one 401 or 404.

        The next call confirms an update while it may still be under way: a tap that a crash swallows has no answer and
        leaves its card as it was. One that comes twice meets a guarded move.
        """
        offset: int | None = None
        while True:
            updates = await self._application.bot.get_updates(offset, timeout=POLL_SECONDS, allowed_updates=ALLOWED)
            for update in updates:
                await self._application.update_queue.put(update)
                offset = update.update_id + 1

    async def _disconnect(self) -> None:
        self._messenger.is_connected = False
        application = self._application
        if application.running:
            await application.stop()
        await application.shutdown()


async def _report(update: object, context: Context) -> None:
    """A handler failed: say so, since silence would look like success."""
    log.error("handler_failed", exc_info=context.error)
    if not isinstance(update, Update) or isinstance(context.error, TelegramError):
        return
    if update.callback_query is not None:
        await update.callback_query.answer(_FAILED, show_alert=True)
    elif update.message is not None:
        await update.message.reply_text(_FAILED)
