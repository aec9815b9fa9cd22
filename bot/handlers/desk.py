"""Looking at the desk: how it stands, what it did, how it is set up."""

import shutil
from collections.abc import Callable

from telegram import Message

from bot import card_views, desk_views, order_views, sign_in_views
from bot.copy_views import as_copy
from bot.handlers.pictures import TIMELINE, Pictures
from bot.secrets import Secrets
from bot.text import fit
from core import __version__, journal, logs, policies, reports
from core.clock import SystemClock
from core.db import attempts, orders
from core.engine.parts import Parts
from core.errors import BrokerUnavailable, Refusal, SignInNeeded
from core.second_factor import SecondFactor
from core.settings import Role, Settings

MOST_LISTED = 15
ORDER_USAGE = "Which one? For example: /order 41"


class DeskCommands:
    """One method per command, named after it. `hearing` says how the ear at Telegram is."""

    def __init__(
        self,
        *,
        settings: Settings,
        parts: Parts,
        factor: SecondFactor,
        secrets: Secrets,
        hearing: Callable[[], str],
        pictures: Pictures,
    ) -> None:
        self._settings = settings
        self._mode = settings.munshi_mode
        self._database = parts.database
        self._clock = parts.clock
        self._broker = parts.broker
        self._instruments = parts.instruments
        self._factor = factor
        self._secrets = secrets
        self._hearing = hearing
        self._pictures = pictures

    async def help(self, message: Message, _arguments: list[str], role: Role) -> None:
        await _say(message, desk_views.help_text(role))

    async def status(self, message: Message, arguments: list[str], _role: Role) -> None:
        """The desk in words, or `/status day`: the day as a picture."""
        if arguments:
            await self._pictures.timeline(message, arguments)
            return
        report = await self._database.read(lambda c: reports.desk_report(c, SystemClock().now()))
        text = desk_views.status(report, self._mode, self._clock.now())
        await message.reply_html(text, reply_markup=TIMELINE)

    async def orders(self, message: Message, _arguments: list[str], _role: Role) -> None:
        latest = await self._database.read(lambda c: orders.recent(c, MOST_LISTED))
        listed = desk_views.order_list(latest, self._clock.now())
        await _say(message, fit(f"{listed}\n\n{await self._placed_elsewhere()}".strip()))

    async def _placed_elsewhere(self) -> str:
        """Orders of Dhan's book that are not ours: shown as such, and never touched."""
        try:
            book = await self._broker.book()
        except SignInNeeded as trouble:
            return order_views.plain(f"Orders placed elsewhere are not known. {sign_in_views.needed(trouble)}")
        except BrokerUnavailable as trouble:
            return order_views.plain(f"Orders placed elsewhere are not known: {trouble}")
        names = {row.order_id: row.correlation_id for row in book}
        ours = await self._database.read(lambda c: attempts.ours_among(c, names))
        return order_views.elsewhere([row for row in book if row.order_id not in ours])

    async def order(self, message: Message, arguments: list[str], _role: Role) -> None:
        number = arguments[0].partition(".")[0] if arguments else ""
        if len(arguments) != 1 or not number.isascii() or not number.isdecimal() or len(number) > 12:
            raise Refusal(ORDER_USAGE)
        now = self._clock.now()
        found = await self._database.read(
            lambda c: (reports.alert_report(c, int(number), now), journal.story(c, int(number)))
        )
        report, events = found
        if report is None:
            raise Refusal(f"There is no alert {number}.")
        await _say(message, card_views.story(as_copy(report), events, self._mode))

    async def health(self, message: Message, _arguments: list[str], _role: Role) -> None:
        report = await self._database.read(lambda c: reports.desk_report(c, SystemClock().now()))
        disk = shutil.disk_usage(self._settings.munshi_data_dir)
        facts = {
            "Telegram": self._hearing(),
            "Instrument list": "there" if self._instruments.is_there else "not there yet: nothing can be sent",
            "Disk": f"{disk.free // 2**20:,} MiB free",
            "Version": __version__,
        }
        await _say(message, desk_views.health(report, facts, self._mode, self._clock.now()))

    async def settings(self, message: Message, _arguments: list[str], _role: Role) -> None:
        """No secret is among them."""
        settings, now = self._settings, await self._database.read(policies.Policies.read)
        enrolled = await self._database.read(self._factor.is_enrolled)
        facts = {
            "Mode": settings.munshi_mode.upper(),
            "Dhan client id": settings.client_id,
            "Webhook": f"{settings.web_url}/webhook",
            "Operators": ", ".join(f"{user} {role}" for user, role in settings.operators.items()),
            "Group": str(settings.telegram_group) if settings.telegram_group else "none",
            "Proxy for Telegram": "yes" if settings.telegram_proxy else "no",
            "Authenticator": "enrolled" if enrolled else "none: `munshi totp` on the desk's machine enrols one",
            "Approval": f"{now.approval}, see /policy",
            "Limits": f"{len(now.limits.bounds)} set, see /limits",
        }
        await _say(message, desk_views.facts("Settings", facts))

    async def whoami(self, message: Message, _arguments: list[str], role: Role) -> None:
        user, chat = message.from_user, message.chat
        facts = {"User id": str(user.id if user else "?"), "Role": role, "Chat": f"{chat.id}, {chat.type}"}
        await _say(message, desk_views.facts("You", facts))

    async def logs(self, message: Message, _arguments: list[str], _role: Role) -> None:
        kept = [line for line in logs.recent() if not self._secrets.in_text(line)]
        await _say(message, desk_views.log_lines(kept))


async def _say(message: Message, html: str) -> None:
    await message.reply_html(html, disable_web_page_preview=True)
