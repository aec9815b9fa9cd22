"""The gate before every handler: operators in their own private chat, nobody and nothing else.

Strangers get silence and a log line. Groups, channels, anonymous admins and edited messages are refused alike.
"""

import structlog
from telegram import Chat, Update
from telegram.ext import ApplicationHandlerStop, CallbackContext, ExtBot

from core.settings import Role

log = structlog.get_logger()

Context = CallbackContext[ExtBot[None], dict[str, object], dict[str, object], dict[str, object]]


class Gate:
    def __init__(self, operators: dict[int, Role]) -> None:
        self._operators = operators

    async def check(self, update: Update, _context: Context) -> None:
        """Raise ApplicationHandlerStop unless an operator speaks in his private chat."""
        if not self.lets_in(update):
            user = update.effective_user
            log.warning("stranger_refused", user=user.id if user else None, kind=_kind(update))
            raise ApplicationHandlerStop

    def lets_in(self, update: Update) -> bool:
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
        if user is None or chat is None or chat.type != Chat.PRIVATE or chat.id != user.id:
            return None
        return self._operators.get(user.id)


def _kind(update: Update) -> str:
    return next(iter(set(update.to_dict()) - {"update_id"}), "empty")
