"""Taps that are as good as typing: the command runs as if the one who tapped had sent it, his role and all."""

from typing import Any, cast

from telegram import CallbackQuery, Message, Update
from telegram.error import BadRequest

from bot.access import Context
from bot.text import MOST_ANSWER, cut


async def as_if_typed(update: Update, context: Context, command: str) -> None:
    """Answer the tap, then hand the command to the handlers of commands, behind the gate as ever."""
    query = update.callback_query
    if query is None or query.message is None:
        return
    await say(query, command)
    typed = Message(
        query.message.message_id, query.message.date, query.message.chat, from_user=query.from_user, text=command
    )
    typed.set_bot(query.get_bot())
    application = cast("Any", context).application
    await application.process_update(Update(update.update_id, message=typed))


async def say(query: CallbackQuery, text: str, *, alarm: bool = False) -> None:
    """Answer the tap; one that is too old for it is none the worse."""
    try:
        await query.answer(cut(text, MOST_ANSWER), show_alert=alarm)
    except BadRequest as error:
        if "query is too old" not in error.message.lower():
            raise
