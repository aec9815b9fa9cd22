"""A message to paste into TradingView: Dhan's own format, with the placeholders that TradingView fills."""

import json
from decimal import Decimal

from core.domain.alert import Exchange, Side

SECRET_GOES_HERE = "YOUR-WEBHOOK-SECRET"  # noqa: S105 - a placeholder; the secret itself goes into no chat


def write_template(
    side: Side, quantity: int, symbol: str, *, exchange: Exchange, kind: str, price: Decimal | None
) -> str:
    """`kind` is EQ, FUT or OPT; without a price it goes at the market. `timenow` tells a fresh alert from an old one,
    and `id` one signal of a strategy from the next: two that differ in it are two orders."""
    leg = {
        "transactionType": "B" if side is Side.BUY else "S",
        "orderType": "MKT" if price is None else "LMT",
        "quantity": str(quantity),
        "exchange": exchange.value,
        "symbol": symbol,
        "instrument": kind,
        "productType": "C" if kind == "EQ" else "M",
        "sort_order": "1",
        "price": "0" if price is None else f"{price:f}",
        "amoTime": "OPEN_30",
        "meta": {
            "interval": "{{interval}}",
            "time": "{{time}}",
            "timenow": "{{timenow}}",
            "id": "{{strategy.order.id}}",
        },
    }
    alert = {"secret": SECRET_GOES_HERE, "alertType": "multi_leg_order", "order_legs": [leg]}
    return json.dumps(alert, indent=1)
