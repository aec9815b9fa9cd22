"""/why: how an alert came to be where it is."""

from sqlalchemy import Connection
from telegram import Message

from bot import why_views
from bot.copy_views import as_copy
from core import journal, reports
from core.clock import Clock
from core.db import attempts
from core.db.engine import Database
from core.errors import Refusal
from core.settings import Role

USAGE = "Which alert? For example: /why 41"


class Explanations:
    """`traces` is where the trace pages are, when everybody may open them."""

    def __init__(self, *, database: Database, clock: Clock, traces: str | None) -> None:
        self._database = database
        self._clock = clock
        self._traces = traces

    async def why(self, message: Message, arguments: list[str], _role: Role) -> None:
        number = arguments[0].partition(".")[0] if arguments else ""
        if len(arguments) != 1 or not (number.isascii() and number.isdecimal()) or len(number) > 12:
            raise Refusal(USAGE)
        await self.tell(message, int(number))

    async def tell(self, message: Message, alert_id: int) -> None:
        """Answer with the whole way to the decision and after it. Raises Refusal when there is no such alert."""
        text = await self._database.read(lambda c: self._explain(c, alert_id))
        await message.reply_html(text, disable_web_page_preview=True)

    def _explain(self, connection: Connection, alert_id: int) -> str:
        report = reports.alert_report(connection, alert_id, self._clock.now())
        if report is None:
            raise Refusal(f"There is no alert {alert_id}. {USAGE}")
        tries = attempts.of_orders(connection, [order.id for order in report.orders])
        trace = f"{self._traces}/{alert_id}" if self._traces else None
        return why_views.why(as_copy(report), journal.story(connection, alert_id), tries, trace)
