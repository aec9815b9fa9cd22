"""Reading one leg: the wish for one order, field by field, in the order in which a trader would check it."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from core.alerts import words
from core.alerts.fields import Fields, amount_of, is_object, shown, text_of
from core.domain.alert import AmoTime, InstrumentKind, Leg, OptionContract, OrderType, Product, Segment, Validity

MAX_QUANTITY = 10_000_000
_MAX_POSITION = 9999
_SYMBOL = re.compile(r"[A-Za-z0-9&_.!-]{1,50}")
_NOT_IN_SYMBOL = re.compile(r"[^A-Za-z0-9&_.!-]")
_SHARE = re.compile(r"(.+)-EQ")
_FUTURE = re.compile(r"[A-Z0-9&_.-]+[1-9]!")
_OPTION = re.compile(r"([A-Z0-9&_.-]+)([0-9]{6})([CP])([0-9]{1,8}(?:\.[0-9]{1,4})?)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class _Named:
    """What the symbol alone says."""

    symbol: str
    kind: InstrumentKind | None = None
    option: OptionContract | None = None


def read_leg(fields: Fields, *, place: int, amo_time: AmoTime, validity: Validity) -> Leg | None:
    """The leg, or None with the mistakes noted. The other arguments stand in for what the leg leaves out."""
    side = fields.choose("transactionType", words.SIDES, "B or S")
    exchange = fields.choose("exchange", words.EXCHANGES, "NSE, BSE or MCX")
    named = _read_symbol(fields)
    kind = _read_kind(fields, named)
    segment = _read_segment(fields, kind)
    option = _read_option(fields, kind, named)
    quantity = fields.whole("quantity", 1, MAX_QUANTITY)
    order_type = fields.choose("orderType", words.ORDER_TYPES, "MKT, LMT, SL or SL-M")
    price, trigger_price = _read_prices(fields, order_type)
    product = _read_product(fields, kind)
    position = fields.whole("sort_order", 0, _MAX_POSITION) if fields.text("sort_order") else place
    amo_time = read_amo_time(fields, amo_time)
    validity = read_validity(fields, validity)
    _check_validity(fields, validity, order_type)
    if fields.mistakes or not (side and exchange and named and kind and quantity and order_type and product):
        return None
    _remark_delayed(fields)
    return Leg(
        position=position or 0,
        side=side,
        order_type=order_type,
        quantity=quantity,
        exchange=exchange,
        symbol=named.symbol,
        kind=kind,
        product=product,
        price=price,
        trigger_price=trigger_price,
        option=option,
        amo_time=amo_time,
        validity=validity,
        alert_price=_read_alert_price(fields, kind, order_type),
        segment=segment,
    )


def read_amo_time(fields: Fields, otherwise: AmoTime) -> AmoTime:
    """When an after-market order goes out; a leg may say it, or the alert for all its legs."""
    if fields.text("amoTime") == "":
        return otherwise
    return fields.choose("amoTime", words.AMO_TIMES, ", ".join(words.AMO_TIMES)) or otherwise


def read_validity(fields: Fields, otherwise: Validity) -> Validity:
    """How long what is not filled is kept; a leg may say it, or the alert for all its legs.

    Nobody has seen the field in an alert of Dhan's, so it is named as in Dhan's order API.
    """
    if fields.text("validity") == "":
        return otherwise
    return fields.choose("validity", words.VALIDITIES, "DAY or IOC") or otherwise


def _check_validity(fields: Fields, validity: Validity, order_type: OrderType | None) -> None:
    if validity is Validity.IOC and order_type in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET):
        fields.mistakes.append(
            f"{fields.name}: validity IOC cannot be a stop order's: that waits for its trigger, and IOC for nothing."
        )


def _read_symbol(fields: Fields) -> _Named | None:
    """Never normalised: a letter that only looks like the right one is refused by its number."""
    text = fields.text("symbol")
    if not _SYMBOL.fullmatch(text):
        fields.refuse("symbol", f"1 to 50 of A-Z 0-9 & _ . ! -{_stranger_in(text)}")
        return None
    symbol = text.upper()
    if share := _SHARE.fullmatch(symbol):
        fields.remarks.append(f"{fields.name}: {symbol} was read as the share {share[1]}.")
        return _Named(share[1], InstrumentKind.EQUITY)
    if _FUTURE.fullmatch(symbol):
        return _Named(symbol, InstrumentKind.FUTURE)
    if option := _OPTION.fullmatch(symbol):
        return _read_option_symbol(fields, option)
    return _Named(symbol)


def _stranger_in(text: str) -> str:
    stranger = _NOT_IN_SYMBOL.search(text[:51])
    if not stranger or text == "\0":
        return ""
    return f", not U+{ord(stranger[0]):04X} {unicodedata.name(stranger[0], '')}".rstrip()


def _read_option_symbol(fields: Fields, match: re.Match[str]) -> _Named | None:
    """TradingView's symbol of an option: underlying, YYMMDD, C or P, strike."""
    underlying, day, letter, strike = match.groups()
    try:
        expiry = date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    except ValueError:
        fields.refuse("symbol", "an option symbol with a day that exists, such as NIFTY261201C26000")
        return None
    option = OptionContract(option_type=words.OPTION_TYPES[letter], strike=Decimal(strike), expiry=expiry)
    return _Named(underlying, InstrumentKind.OPTION, option)


def _read_kind(fields: Fields, named: _Named | None) -> InstrumentKind | None:
    implied = named.kind if named else None
    if fields.text("instrument") == "":
        if implied is None and any(fields.has(name) for name in words.OPTION_FIELDS):
            implied = InstrumentKind.OPTION
        if implied is None:
            fields.refuse("instrument", "EQ, FUT or OPT, because the symbol alone does not tell")
        return implied
    kind = fields.choose("instrument", words.INSTRUMENTS, "EQ, FUT or OPT")
    if kind and implied and kind is not implied:
        fields.refuse("instrument", f"the {implied.lower()} that the symbol {fields.text('symbol')} names")
        return None
    return kind


def _read_segment(fields: Fields, kind: InstrumentKind | None) -> Segment | None:
    """What the exchange's long form says; one that has nothing of this kind is a riddle, and neither is guessed at."""
    word = fields.text("exchange").upper()
    segment = words.SEGMENTS.get(word)
    if segment is None or kind is None or segment.is_of_shares is (kind is InstrumentKind.EQUITY):
        return segment
    if kind is InstrumentKind.EQUITY:
        fields.refuse("exchange", f"NSE or BSE for shares (instrument EQ): {word} has none")
    else:
        fields.refuse("exchange", f"{segment.exchange} for futures and options: {word} has only shares")
    return None


def _read_option(fields: Fields, kind: InstrumentKind | None, named: _Named | None) -> OptionContract | None:
    if kind is not InstrumentKind.OPTION:
        for name in words.OPTION_FIELDS:
            if kind and fields.has(name):
                fields.refuse(name, "left out, because this leg is no option (instrument OPT)")
        return None
    whole = named.option if named else None
    option_type, strike, expiry = (whole.option_type, whole.strike, whole.expiry) if whole else (None, None, None)
    if whole is None or fields.has("option_type"):
        option_type = fields.choose("option_type", words.OPTION_TYPES, "CE or PE")
    if whole is None or fields.has("strike_price"):
        strike = _read_strike(fields)
    if whole is None or fields.has("expiry_date"):
        expiry = _read_expiry(fields)
    if not (option_type and strike and expiry):
        return None
    contract = OptionContract(option_type=option_type, strike=strike, expiry=expiry)
    if whole and contract != whole:
        fields.refuse("symbol", "the same option that option_type, strike_price and expiry_date name")
    return contract


def _read_strike(fields: Fields) -> Decimal | None:
    strike = fields.amount("strike_price")
    if strike == 0:
        fields.refuse("strike_price", "more than 0 for an option")
    return strike


def _read_expiry(fields: Fields) -> date | None:
    text = fields.text("expiry_date")
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    fields.refuse("expiry_date", "a day that exists, written YYYY-MM-DD")
    return None


def _read_prices(fields: Fields, order_type: OrderType | None) -> tuple[Decimal | None, Decimal | None]:
    """Limit price and trigger price, each None where the order type has none."""
    price, trigger = fields.amount("price"), fields.amount("triggerPrice")
    limited = order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    stopped = order_type in (OrderType.STOP_LIMIT, OrderType.STOP_MARKET)
    if limited and price == 0:
        fields.refuse("price", "more than 0 for a limit order")
    if stopped and trigger == 0:
        fields.refuse("triggerPrice", "more than 0 for a stop order")
    if order_type and not stopped and trigger:
        fields.refuse("triggerPrice", "left out, or orderType SL or SL-M: without them it would not be waited for")
    if order_type and not limited and price:
        fields.remarks.append(
            f"{fields.name}: price {price} has no effect on a market order but to measure moves from."
        )
    return price if limited else None, trigger if stopped else None


def _read_alert_price(fields: Fields, kind: InstrumentKind, order_type: OrderType) -> Decimal | None:
    """The chart's price when the alert fired: `close`, or the price that a market order does not need.

    It is only measured against, so one that cannot be read is a remark. Not for options: the chart is mostly another's.
    """
    if kind is InstrumentKind.OPTION:
        return None
    meta = fields.values.get("meta")
    written = fields.values.get("close") or (meta.get("close") if is_object(meta) else None)
    text = text_of(written)
    if not text and order_type is OrderType.MARKET:
        written = fields.values.get("price")
        text = text_of(written)
    price = amount_of(text)
    if price is None and text:
        fields.remarks.append(f"{fields.name}: close is {shown(written)}, no price, and is not used.")
    return price or None


def _read_product(fields: Fields, kind: InstrumentKind | None) -> Product | None:
    product = fields.choose("productType", words.PRODUCTS, "I, C, M or MTF")
    of_shares = product in (Product.DELIVERY, Product.MARGIN_FUNDED)
    if of_shares and kind in (InstrumentKind.FUTURE, InstrumentKind.OPTION):
        fields.refuse("productType", "I or M for futures and options: only shares can be delivered")
    return product


def _remark_delayed(fields: Fields) -> None:
    exchange = fields.text("exchange").upper()
    if exchange in words.DELAYED_EXCHANGES:
        fields.remarks.append(f"{fields.name}: {exchange} means that the chart's prices are delayed.")
