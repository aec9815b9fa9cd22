"""The gate before every handler: operators in their own private chat or the one group, nobody and nothing else.

Strangers get silence and a log line. Other groups, channels, anonymous admins and edited messages are refused alike;
a group that adds the bot is left again.
"""

import contextlib

import structlog
from telegram import Chat, ChatMember, Update
from telegram.error import TelegramError
from telegram.ext import ApplicationHandlerStop, CallbackContext, ExtBot

from core.settings import Role

log = structlog.get_logger()

Context = CallbackContext[ExtBot[None], dict[str, object], dict[str, object], dict[str, object]]


class Gate:
    def __init__(self, operators: dict[int, Role], group: int | None = None) -> None:
        self._operators = operators
        self._group = group

    async def check(self, update: Update, context: Context) -> None:
        """Raise ApplicationHandlerStop unless an operator speaks where he may."""
        if self._role(update) is None:
            await self._leave(update, context)
            user = update.effective_user
            log.warning("stranger_refused", user=user.id if user else None, kind=_kind(update))
            raise ApplicationHandlerStop

    def speaks_in(self, chat: int) -> bool:
        """Whether the desk may write there."""
        return chat in self._operators or chat == self._group

    def admits(self, update: Update) -> bool:
        return self._role(update) is not None

    def role(self, update: Update) -> Role:
        """The role of whoever passed the gate."""
        role = self._role(update)
        if role is None:
            raise PermissionError("an update passed the gate without an operator")
        return role

    def _role(self, update: Update) -> Role | None:
        if update.edited_message or not (update.message or update.callback_query or update.my_chat_member):
            return None
        user, chat = update.effective_user, update.effective_chat
        if user is None or chat is None or not self._is_here(chat, user.id):
            return None
        if update.message is not None and update.message.sender_chat is not None:
            return None
        return self._operators.get(user.id)

    def _is_here(self, chat: Chat, user: int) -> bool:
        if chat.type == Chat.PRIVATE:
            return chat.id == user
        return chat.id == self._group and chat.type in (Chat.GROUP, Chat.SUPERGROUP)

    async def _leave(self, update: Update, context: Context) -> None:
        change = update.my_chat_member
        if change is None or change.chat.type == Chat.PRIVATE or change.chat.id == self._group:
            return
        if change.new_chat_member.status in (ChatMember.MEMBER, ChatMember.ADMINISTRATOR):
            with contextlib.suppress(TelegramError):
                await context.bot.leave_chat(change.chat.id)


def _kind(update: Update) -> str:
    return next(iter(set(update.to_dict()) - {"update_id"}), "empty")
