"""Everything that an operator writes: a command, an answer to a question, a file to be checked, or a mistake."""

import contextlib
from html import escape

import structlog
from telegram import Chat, Message, Update
from telegram.error import TelegramError

from bot import sign_in_views
from bot.access import Context, Gate
from bot.commands import BY_NAME, STOPS, Command, may, nearest
from bot.handlers.questions import Questions
from bot.secrets import Secrets
from bot.text import cut
from core.errors import BrokerUnavailable, Refusal, SignInNeeded, Unavailable

log = structlog.get_logger()

_REFUSALS = (Refusal, Unavailable, BrokerUnavailable)
_IN_PRIVATE = ("login", "logs")
_OBEYED_WITH_A_SECRET = {"check", "whatif", *STOPS}
_DELETED = (
    "🔴 Your message held {what}. It was deleted here, but chats with bots are not end-to-end encrypted: "
    "treat it as known to others, and change it."
)
_STAYED = (
    "🔴 Your message held {what}, and could not be deleted: delete it yourself, now. Treat it as known to others, "
    "and change it."
)


class Messages:
    """`owners` have one method per command, named after it."""

    def __init__(self, *, gate: Gate, secrets: Secrets, questions: Questions, owners: tuple[object, ...]) -> None:
        self._gate = gate
        self._secrets = secrets
        self._questions = questions
        self._owners = owners

    async def handle(self, update: Update, _context: Context) -> None:
        """Obey a command if the operator's role allows it; words without a slash do nothing, and are told so."""
        message = update.message
        if message is None:
            return
        text = message.text or message.caption or ""
        first, *arguments = text.split() or [""]
        name = first.removeprefix("/").partition("@")[0].lower() if first.startswith("/") else ""
        name = "check" if message.document is not None and not name else name
        leaked = self._secrets.in_text(text)
        if leaked:
            await self._delete(message, leaked)
            if name not in _OBEYED_WITH_A_SECRET:
                return
        if not name and await self._questions.handle_reply(update, message):
            return
        command = BY_NAME.get(name)
        if command is None:
            meant = nearest(name or first.lower(), self._gate.role(update))
            guess = f"Did you mean /{meant.name}? " if meant else ""
            await message.reply_text(f"I do not know that command. {guess}/help lists them all.")
        elif not may(self._gate.role(update), command.role):
            await message.reply_text(f"/{name} needs the role {command.role}.")
        elif name in _IN_PRIVATE and message.chat.type != Chat.PRIVATE:
            await message.reply_text(f"/{name} is for our private chat: its answer is for you alone.")
        elif arguments and not command.usage and name not in STOPS:
            await message.reply_text(f"/{name} takes nothing behind it. Send it alone: /{name}")
        else:
            await self._obey(update, message, command, arguments)

    async def _obey(self, update: Update, message: Message, command: Command, arguments: list[str]) -> None:
        owner = next(owner for owner in self._owners if hasattr(owner, command.name))
        try:
            await getattr(owner, command.name)(message, arguments, self._gate.role(update))
        except SignInNeeded as needed:
            await message.reply_html(escape(cut(sign_in_views.needed(needed))), disable_web_page_preview=True)
        except _REFUSALS as refusal:
            await message.reply_html(escape(cut(str(refusal))), disable_web_page_preview=True)

    async def _delete(self, message: Message, what: str) -> None:
        words = _STAYED
        with contextlib.suppress(TelegramError):
            await message.delete()
            words = _DELETED
        try:
            await message.chat.send_message(words.format(what=what))
        except TelegramError as trouble:  # a stop behind it is obeyed all the same
            log.warning("secret_not_warned_of", what=what, deleted=words is _DELETED, why=type(trouble).__name__)
