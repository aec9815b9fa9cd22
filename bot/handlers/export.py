"""/export: orders, fills and notifications as CSV documents."""

import asyncio
from datetime import date

from telegram import Message
from telegram.constants import ChatAction

from bot.arguments import read_days
from core import export
from core.chained_csv import Sheet
from core.clock import Clock, to_india
from core.db.engine import Database
from core.settings import Role


class ExportCommands:
    """One method, named after its command."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def export(self, message: Message, arguments: list[str], _role: Role) -> None:
        """A document for each sheet that has rows. Made off the event loop: a month may have many."""
        since, until = read_days(arguments, to_india(self._clock.now()).date())
        sheets = [sheet for sheet in await asyncio.to_thread(self._sheets, since, until) if sheet.rows]
        days = f"{since}" if since == until else f"{since} to {until}"
        if not sheets:
            await message.reply_html(f"Nothing of {days}: no alert, no fill, no message.")
            return
        await message.reply_chat_action(ChatAction.UPLOAD_DOCUMENT)
        for sheet in sheets:
            rows = f"{sheet.rows} row{'s' * (sheet.rows > 1)}"
            caption = f"{rows}, last hash {sheet.last_hash[:16]}…\nmunshi verify checks it."
            await message.reply_document(sheet.text.encode(), caption=caption, filename=f"{sheet.name}.csv")

    def _sheets(self, since: date, until: date) -> list[Sheet]:
        with self._database.snapshot() as connection:
            return export.sheets(connection, since, until)
