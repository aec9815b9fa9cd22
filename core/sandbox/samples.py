"""Alerts that a newcomer can fire, in the format that the desk expects from TradingView."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from core.clock import to_india

_BAR_OPENS = time(9, 15)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """`legs` go into one alert, which is sent `times` times with the same bytes."""

    title: str
    detail: str
    legs: tuple[Mapping[str, str], ...]
    times: int = 1


def write_leg(
    *, side: str, symbol: str, order_type: str = "MKT", quantity: str = "1", price: str = "0", product: str = "C"
) -> dict[str, str]:
    leg = {"side": side, "symbol": symbol, "order_type": order_type, "quantity": quantity, "price": price}
    return leg | {"product": product}


SAMPLES: Mapping[str, Sample] = {
    "buy": Sample(
        title="Buy 1 RELIANCE",
        detail="at market, for delivery",
        legs=(write_leg(side="B", symbol="RELIANCE"),),
    ),
    "sell": Sample(
        title="Sell 1 TCS",
        detail="limit 3,100, of a share that the account may not hold",
        legs=(write_leg(side="S", symbol="TCS", order_type="LMT", price="3100", product="I"),),
    ),
    "two-legs": Sample(
        title="Two legs",
        detail="buy 1 INFY, then 1 HDFCBANK",
        legs=(write_leg(side="B", symbol="INFY"), write_leg(side="B", symbol="HDFCBANK")),
    ),
    "unknown-symbol": Sample(
        title="A mistake",
        detail="a symbol that no exchange lists",
        legs=(write_leg(side="B", symbol="RELAINCE"),),
    ),
    "twice": Sample(
        title="The same alert twice",
        detail="identical to the byte; only one may trade",
        legs=(write_leg(side="B", symbol="SBIN"),),
        times=2,
    ),
}


def write_alert(legs: tuple[Mapping[str, str], ...], *, secret: str, now: datetime) -> str:
    """The message after TradingView filled in `{{time}}` (the daily bar's start) and `{{timenow}}`, both in UTC."""
    meta = {"interval": "1D", "time": _utc(_bar_start(now)), "timenow": _utc(now)}
    body = {
        "secret": secret,
        "alertType": "multi_leg_order",
        "order_legs": [_order_leg(leg, str(position), meta) for position, leg in enumerate(legs, start=1)],
    }
    return json.dumps(body, separators=(",", ":"))


def _order_leg(leg: Mapping[str, str], position: str, meta: Mapping[str, str]) -> dict[str, Any]:
    return {
        "transactionType": leg["side"],
        "orderType": leg["order_type"],
        "quantity": leg["quantity"],
        "exchange": "NSE",
        "symbol": leg["symbol"],
        "instrument": "EQ",
        "productType": leg["product"],
        "sort_order": position,
        "price": leg["price"],
        "amoTime": "OPEN_30",
        "meta": meta,
    }


def _bar_start(now: datetime) -> datetime:
    local = to_india(now)
    opening = datetime.combine(local.date(), _BAR_OPENS, tzinfo=local.tzinfo)
    return opening if opening <= local else opening - timedelta(days=1)


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
