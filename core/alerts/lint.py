"""What an alert would do, in words, before it is trusted with money: the answer of `munshi check FILE`."""

from collections.abc import Callable

from core.alerts.parse import not_filled, parse_alert, read_alert_text, secret_in
from core.domain.alert import Alert, InstrumentKind, Leg, OrderType, Product, Validity
from core.domain.instrument import Instrument
from core.errors import AlertRefused, Refusal
from core.tickets import EquityProduct, why_not_lots, write_tickets

REFUSED = "It would be refused."
_CURLY = "“”„‘’"

_OF_A_TEMPLATE = {
    not_filled(placeholder): f"{placeholder} is filled in by TradingView when the alert fires."
    for placeholder in ("{{timenow}}", "{{time}}")
}
"""What is a fault of an alert that came is as it should be in one that is yet to be pasted into TradingView."""

_PRODUCTS = {
    Product.INTRADAY: "intraday",
    Product.DELIVERY: "for delivery",
    Product.CARRY_FORWARD: "carried forward",
    Product.MARGIN_FUNDED: "for delivery, margin funded",
}


Name = Callable[[Leg], Instrument]


def explain(body: bytes, name: Name | None = None, equity_product: EquityProduct = EquityProduct.AS_SENT) -> list[str]:
    """Sentences: why it would be refused; or what each leg means, what has no effect, and what to look out for.

    With `name`, which says what a leg trades or raises Refusal, also what the exchange would say to it.
    """
    try:
        fields = read_alert_text(body)
        alert = parse_alert(fields)
    except AlertRefused as refusal:
        return [REFUSED, *refusal.mistakes, *_hint_at_quotes(body), *_hint_at_template(body)]
    judged = [_at_the_exchange(leg, name, equity_product) for leg in alert.legs if name]
    refusals = [refusal for refusal, _ in judged if refusal]
    return [
        *([REFUSED, *refusals] if refusals else []),
        *(_describe(leg) for leg in alert.legs),
        *dict.fromkeys(_OF_A_TEMPLATE.get(remark, remark) for remark in alert.remarks),
        *_hints(alert, has_secret=bool(secret_in(fields))),
        *(words for _, told in judged for words in told),
    ]


def has_mistakes(body: bytes) -> bool:
    """Whether the webhook would refuse it as it is written."""
    try:
        parse_alert(read_alert_text(body))
    except AlertRefused:
        return True
    return False


def _at_the_exchange(leg: Leg, name: Name, equity_product: EquityProduct) -> tuple[str, list[str]]:
    """Why the leg is refused, with the nearest names for an unknown symbol, or nothing; and what the instrument list
    says of its tick, product and size.
    """
    try:
        instrument = name(leg)
        written = write_tickets(leg, instrument, equity_product, reaches_on=None)
    except Refusal as refusal:
        return f"Leg {leg.position}: {refusal}", []
    told = [*written.remarks, why_not_lots(leg, instrument)]
    return "", [f"Leg {leg.position}: {words}" for words in told if words]


def _hint_at_quotes(body: bytes) -> list[str]:
    if not any(quote in body.decode(errors="replace") for quote in _CURLY):
        return []
    return ['It has curly quotes, as word processors make them: JSON takes only the straight one, ".']


def _hint_at_template(body: bytes) -> list[str]:
    if b"{{" not in body:
        return []
    return [
        "This text still has placeholders in it: check a message as TradingView sends it, with the values filled in."
    ]


def _describe(leg: Leg) -> str:
    return (
        f"Leg {leg.position}: {leg.side.value.lower()} {leg.quantity} {_unit(leg)} of {_instrument(leg)} "
        f"on {leg.exchange.value} {_price(leg)}, {_PRODUCTS[leg.product]}{_at_once(leg)}."
    )


def _at_once(leg: Leg) -> str:
    return "; what is not filled at once is cancelled (IOC)" if leg.validity is Validity.IOC else ""


def _unit(leg: Leg) -> str:
    unit = "share" if leg.kind is InstrumentKind.EQUITY else "lot"
    return unit if leg.quantity == 1 else f"{unit}s"


def _instrument(leg: Leg) -> str:
    if leg.option is None:
        return leg.symbol
    return f"{leg.symbol} {leg.option.expiry:%d %b %Y} {leg.option.strike.normalize():f} {leg.option.option_type.value}"


def _price(leg: Leg) -> str:
    match leg.order_type:
        case OrderType.MARKET:
            return "at the market's price"
        case OrderType.LIMIT:
            return f"at {leg.price} or better"
        case OrderType.STOP_MARKET:
            return f"at the market's price once {leg.trigger_price} is reached"
        case OrderType.STOP_LIMIT:
            return f"at {leg.price} or better once {leg.trigger_price} is reached"


def _hints(alert: Alert, *, has_secret: bool) -> list[str]:
    hints = [
        f"Leg {leg.position}: quantity {leg.quantity} counts lots; it is multiplied by the lot size."
        for leg in alert.legs
        if leg.kind is not InstrumentKind.EQUITY
    ]
    if alert.fired_at is None and not any("timenow" in remark for remark in alert.remarks):
        hints.append(
            'There is no timenow: a repeat cannot be told from a second order. Add "timenow": "{{timenow}}" to meta.'
        )
    if not has_secret:
        hints.append("There is no secret: the webhook takes this alert only at an address with a source's key.")
    return hints
