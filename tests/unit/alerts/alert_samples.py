"""Alerts as users write them: Dhan's own message, changed here and there."""

import json
from typing import Any

SHARE = {
    "transactionType": "B",
    "orderType": "MKT",
    "quantity": "10",
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "instrument": "EQ",
    "productType": "I",
    "sort_order": "1",
    "price": "0",
}
FUTURE = SHARE | {"symbol": "NIFTY1!", "instrument": "FUT", "quantity": "1", "productType": "M"}
OPTION = SHARE | {
    "symbol": "NIFTY",
    "instrument": "OPT",
    "quantity": "1",
    "productType": "M",
    "option_type": "CE",
    "strike_price": "26000.0",
    "expiry_date": "2026-12-01",
}
MOMENT = {"interval": "15", "time": "2026-11-25T04:00:00Z", "timenow": "2026-11-25T04:01:00Z"}


class Gone:
    """Marks a field that the alert leaves out."""


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (fields | changes).items() if value is not Gone}


def message(*legs: Any, **root: Any) -> dict[str, Any]:
    return changed({"secret": "aB3xK", "alertType": "multi_leg_order", "order_legs": list(legs)}, **root)


def body(*legs: Any, **root: Any) -> bytes:
    return json.dumps(message(*legs, **root)).encode()
