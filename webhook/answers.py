"""What the sender of an alert is told: the truth at answering time."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.responses import Response

from core.clock import to_india
from core.domain.order import Order
from core.intake import Receipt
from core.reports import AlertReport, Standing

_WORDS: Mapping[Standing, str] = {
    Standing.ACCEPTED: "Stored. The desk has not finished with it.",
    Standing.PLACED: "",
    Standing.QUEUED: "It waits for its time.",
    Standing.HELD: "Held.",
    Standing.AWAITING_APPROVAL: "Waiting for a tap in Telegram.",
    Standing.REFUSED: "Refused.",
    Standing.REJECTED: "Dhan rejected it.",
    Standing.DECLINED: "The operator cancelled it.",
    Standing.EXPIRED: "Its time ran out.",
}


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Answer(Response):
    """JSON by an encoder that is made once, not for every answer."""

    media_type = "application/json"

    def render(self, content: Mapping[str, Any]) -> bytes:
        return _encode(content).encode()


def stored(receipt: Receipt, report: AlertReport | None) -> Answer:
    """200: the alert is on disk, and this is where it stands."""
    standing = report.standing if report else Standing.ACCEPTED
    return Answer(
        {
            "status": "success",
            "alert_id": str(receipt.alert_id),
            "order_status": standing,
            "placement_mode": report.mode if report else None,
            "duplicate": receipt.duplicate,
            "orders": [_order(report, order) for order in report.orders] if report else [],
            "message": _message(standing, report),
        }
    )


def heard() -> Answer:
    """200 for a heartbeat: noted, and there is no order in it."""
    return Answer({"status": "success", "message": "Heartbeat noted."})


def error(status: int, message: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    return Answer({"status": "error", "message": message, **more}, status_code=status, headers=headers)


def not_stored(why: str) -> Answer:
    """503: nothing was kept, and TradingView sends it again."""
    return error(503, f"Not stored, send it again: {why}", headers={"Retry-After": "5"})


def unavailable(why: str) -> Answer:
    """503: nothing was done."""
    return error(503, f"Try again in a moment: {why}", headers={"Retry-After": "5"})


def _message(standing: Standing, report: AlertReport | None) -> str:
    if report is None:
        return "Stored."
    if standing is Standing.REFUSED and not report.orders:
        return f"Refused: {report.alert.reason}"
    first = next((order for order in report.orders if report.order_standing(order) is standing), None)
    words = [_WORDS[standing]] if _WORDS[standing] else []
    if standing is Standing.HELD:
        words += report.holds.values()
    elif first is not None:
        words.append(first.reason)
    return " ".join([*words, report.alert.reason]).strip()


def _order(report: AlertReport, order: Order) -> dict[str, Any]:
    return {
        "id": order.label,
        "order_status": report.order_standing(order),
        "state": order.state,
        "placement_mode": order.mode,
        "side": order.side,
        "quantity": order.quantity,
        "symbol": order.symbol,
        "exchange": order.exchange,
        "release_at": _india(order.release_at),
        "reaches_exchange_at": _india(order.reaches_exchange_at),
        "broker_order_id": order.broker_order_id,
        "reason": order.reason,
    }


def _india(instant: datetime | None) -> str | None:
    return to_india(instant).isoformat(timespec="seconds") if instant else None
