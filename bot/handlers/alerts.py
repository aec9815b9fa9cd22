"""/alert writes a message for TradingView, /check explains one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import escape

from telegram import Message

from bot.arguments import read_amount
from bot.source_words import way_there
from bot.text import cut, fit
from core.alerts import lint
from core.alerts.json_text import BOM
from core.alerts.template import SECRET_GOES_HERE, write_template
from core.clock import to_india
from core.domain.alert import Exchange, InstrumentKind, Leg, OrderType, Product, Side
from core.domain.instrument import Instrument
from core.engine.parts import Parts
from core.errors import Refusal
from core.policies import Policies
from core.settings import Role, Settings

USAGE = "For example: /alert RELIANCE buy 10, or /alert NIFTY1! sell 1 limit 26100, or /alert TCS buy 5 bse"
CHECK_USAGE = "Paste the alert's message behind it, or send it as a file. For example: /check {…}"
_MOST_BYTES = 16 * 1024
_MOST_QUANTITY = 10_000_000


class Alerts:
    """One method per command, named after it."""

    def __init__(self, *, settings: Settings, parts: Parts) -> None:
        self._webhook = f"{settings.web_url}/webhook"
        self._parts = parts

    async def alert(self, message: Message, arguments: list[str], _role: Role) -> None:
        """The message to paste, and where it goes. The secret stays out of the chat: chats are kept by others."""
        leg = _read(arguments)
        self._find(leg)
        kind = {InstrumentKind.EQUITY: "EQ", InstrumentKind.FUTURE: "FUT", InstrumentKind.OPTION: "OPT"}[leg.kind]
        text = write_template(leg.side, leg.quantity, leg.symbol, exchange=leg.exchange, kind=kind, price=leg.price)
        await message.reply_html(
            f"Paste this into the alert's message in TradingView:\n<pre>{escape(text)}</pre>\n"
            f"Webhook URL: <code>{escape(self._webhook)}</code>\n{way_there(self._webhook)}\n"
            f"In place of {SECRET_GOES_HERE} goes what <code>./munshi secret</code> prints on the desk's machine; "
            "it is never written into a chat. Check the result with /check.",
            disable_web_page_preview=True,
        )

    async def check(self, message: Message, _arguments: list[str], _role: Role) -> None:
        body = await _body_of(message)
        if not body.strip():
            raise Refusal(CHECK_USAGE)
        if not body.removeprefix(BOM).lstrip().startswith(b"{"):
            raise Refusal(f"An alert's message begins with {{. {CHECK_USAGE}")
        policies = await self._parts.database.read(Policies.read)
        told = lint.explain(body, self._find, policies.equity_product)
        mark = "🔴 " if told[:1] == [lint.REFUSED] else ""
        await message.reply_html(fit(mark + "\n".join(escape(line) for line in told)), disable_web_page_preview=True)

    def _find(self, leg: Leg) -> Instrument:
        """Raises Refusal, with the name of the next future where there is one of what cannot be traded itself."""
        today = to_india(self._parts.clock.now()).date()
        try:
            return self._parts.instruments.resolve(leg, today)
        except Refusal as refusal:
            future = replace(leg, symbol=f"{leg.symbol}1!", kind=InstrumentKind.FUTURE, option=None)
            if leg.symbol.endswith("!") or leg.kind is InstrumentKind.OPTION or not self._is_there(future, today):
                raise
            hint = f"Its next future is {future.symbol}, whose quantity counts lots."
            raise Refusal(f"{refusal} {hint}") from refusal

    def _is_there(self, leg: Leg, today: date) -> bool:
        try:
            self._parts.instruments.resolve(leg, today)
        except Refusal:
            return False
        return True


async def _body_of(message: Message) -> bytes:
    """The alert's text: behind the command, in the message replied to, or in the file."""
    document = message.document
    if document is not None:
        if (document.file_size or 0) > _MOST_BYTES:
            raise Refusal("That file is too large for an alert: the webhook takes 16 KiB.")
        file = await document.get_file()
        return bytes(await file.download_as_bytearray())
    words = (message.text or "").split(maxsplit=1)[1:]
    if not words and message.reply_to_message is not None:
        return (message.reply_to_message.text or "").encode()
    return words[0].encode() if words else b""


def _read(words: list[str]) -> Leg:
    """SYMBOL buy|sell QUANTITY [limit PRICE] [nse|bse|mcx]. Raises Refusal with the first word that cannot be read."""
    match [words[0].upper() if words else "", *(word.lower() for word in words[1:])]:
        case [symbol, ("buy" | "sell") as side, quantity, *rest] if _is_size(quantity):
            price, rest = _price(rest)
            exchange = Exchange.NSE
            if rest and rest[0].upper() in set(Exchange):
                exchange, rest = Exchange(rest[0].upper()), rest[1:]
            if rest:
                raise _unread(rest[0])
        case [_, ("buy" | "sell"), quantity, *_]:
            raise _unread(quantity)
        case [_, side, *_] if side not in ("buy", "sell"):
            raise _unread(side)
        case [_, _]:
            raise Refusal(f"The quantity is missing. {USAGE}")
        case _:
            raise Refusal(f"Which alert? {USAGE}")
    is_future = symbol.endswith("!") or exchange is Exchange.MCX
    return Leg(
        position=1,
        side=Side(side.upper()),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=int(quantity),
        exchange=exchange,
        symbol=symbol,
        kind=InstrumentKind.FUTURE if is_future else InstrumentKind.EQUITY,
        product=Product.CARRY_FORWARD if is_future else Product.DELIVERY,
        price=price,
    )


def _unread(word: str) -> Refusal:
    return Refusal(f"'{cut(word, 40)}' cannot be read. {USAGE}")


def _is_size(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 8 and 0 < int(word) <= _MOST_QUANTITY


def _price(rest: list[str]) -> tuple[Decimal | None, list[str]]:
    if rest[:1] != ["limit"]:
        return None, rest
    if len(rest) < 2:
        raise Refusal(f"Limit at which price? {USAGE}")
    return read_amount(rest[1]), rest[2:]
