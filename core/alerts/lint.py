"""What an alert would do, in words, before it is trusted with money: the answer of `munshi check FILE`."""

from core.alerts.parse import parse_alert, read_alert_text, secret_in
from core.domain.alert import Alert, InstrumentKind, Leg, OrderType, Product
from core.errors import AlertRefused

_PRODUCTS = {
    Product.INTRADAY: "intraday",
    Product.DELIVERY: "for delivery",
    Product.CARRY_FORWARD: "carried forward",
    Product.MARGIN_FUNDED: "for delivery, margin funded",
}


def explain(body: bytes) -> list[str]:
    """Sentences: the mistakes, or what each leg means, what has no effect, and what to look out for."""
    try:
        fields = read_alert_text(body)
        alert = parse_alert(fields)
    except AlertRefused as refusal:
        return [*refusal.mistakes, *_hint_at_template(body)]
    return [
        *(_describe(leg) for leg in alert.legs),
        *alert.remarks,
        *_hints(alert, has_secret=bool(secret_in(fields))),
    ]


def _hint_at_template(body: bytes) -> list[str]:
    if b"{{" not in body:
        return []
    return [
        "This text still has placeholders in it: check a message as TradingView sends it, with the values filled in."
    ]


def _describe(leg: Leg) -> str:
    return (
        f"Leg {leg.position}: {leg.side.value.lower()} {leg.quantity} {_unit(leg)} of {_instrument(leg)} "
        f"on {leg.exchange.value} {_price(leg)}, {_PRODUCTS[leg.product]}."
    )


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
    if alert.fired_at is None:
        hints.append(
            'There is no timenow: a repeat cannot be told from a second order. Add "timenow": "{{timenow}}" to meta.'
        )
    if not has_secret:
        hints.append("There is no secret: the webhook takes this alert only at an address with a source's key.")
    return hints
