"""Orders, fills and notifications of some days as CSV: a view of rows and events, which can be made again any time."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from core import tracks
from core.chained_csv import Sheet, make
from core.clock import to_india
from core.day_report import bounds
from core.db.tables import outbox, sources
from core.reports import BY_OPERATOR
from core.tracks import Track

_ORDERS = (
    *("alert", "order", "source", "received_utc", "received_ist", "fired_utc", "symbol", "exchange", "side"),
    *("quantity", "type", "validity", "product", "price", "trigger", "mode", "state", "reason", "dhan_order_id"),
    *("filled", "average", "alert_price", "slippage", "slippage_is", "decided_utc", "sent_utc", "sent_ist"),
    *("placed_utc", "settled_utc", "settled_ist", "alert_to_decision_ms", "alert_to_dhan_ms"),
)
_FILLS = (
    *("alert", "order", "symbol", "exchange", "side", "quantity", "price", "average", "seen_utc", "seen_ist"),
    *("alert_price", "slippage", "slippage_is", "alert_to_fill_ms", "reason"),
)
_NOTIFICATIONS = (
    *("notification", "kind", "chat", "order", "created_utc", "created_ist", "sent_utc", "sent_ist", "latency_ms"),
    *("fate", "told_in", "reason"),
)


def sheets(connection: Connection, since: date, until: date) -> list[Sheet]:
    """Of the India days from `since` through `until`: an order counts by its alert, a fill by when it was seen."""
    begins, ends = bounds(since, until)
    days = f"{since}" if since == until else f"{since}-to-{until}"
    names = {row.id: row.name for row in connection.execute(select(sources.c.id, sources.c.name))}
    came = tracks.received_between(connection, begins, ends)
    touched = tracks.touched_between(connection, begins, ends)
    return [
        make(f"orders-{days}", _ORDERS, (_order(track, names) for track in came)),
        make(f"fills-{days}", _FILLS, _fills(touched, begins, ends)),
        make(f"notifications-{days}", _NOTIFICATIONS, _notifications(connection, begins, ends)),
    ]


def write(sheets: list[Sheet], folder: Path) -> list[Path]:
    """Each as a file that only its owner reads, all of it or nothing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [folder / f"{sheet.name}.csv" for sheet in sheets]
    for sheet, file in zip(sheets, files, strict=True):
        scratch = file.with_suffix(".part")
        scratch.touch(mode=0o600)
        scratch.write_text(sheet.text, encoding="utf-8", newline="")
        scratch.replace(file)
    return files


def _order(track: Track, names: dict[int, str]) -> tuple[object, ...]:
    alert, order = track.alert, track.order
    source = BY_OPERATOR if order.closes else names.get(alert.source_id)
    return (
        *(alert.id, order.label, source, _utc(alert.received_at), _ist(alert.received_at)),
        *(_utc(alert.fired_at), order.symbol, order.exchange, order.side, order.quantity, order.order_type),
        *(order.validity, order.product, order.price, order.trigger_price, order.mode, order.state, order.reason),
        *(order.broker_order_id, order.filled_quantity, order.average_price, track.alert_price),
        *_slippage(track, order.average_price),
        *(_utc(track.decided_at), _utc(track.sent_at), _ist(track.sent_at), _utc(track.placed_at)),
        *(_utc(track.settled_at), _ist(track.settled_at)),
        *(_milliseconds(alert.received_at, track.decided_at), _milliseconds(alert.received_at, track.placed_at)),
    )


def _fills(touched: list[Track], begins: datetime, ends: datetime) -> Iterator[tuple[object, ...]]:
    found = [(fill, track) for track in touched for fill in track.fills if begins <= fill.at < ends]
    for fill, track in sorted(found, key=lambda pair: (pair[0].at, pair[1].order.id)):
        alert, order = track.alert, track.order
        yield (
            *(alert.id, order.label, order.symbol, order.exchange, order.side, fill.quantity, fill.price),
            *(fill.average, _utc(fill.at), _ist(fill.at), track.alert_price, *_slippage(track, fill.price)),
            *(_milliseconds(alert.received_at, fill.at), fill.reason),
        )


def _notifications(connection: Connection, begins: datetime, ends: datetime) -> Iterator[tuple[object, ...]]:
    query = select(outbox).where(outbox.c.created_at >= begins, outbox.c.created_at < ends)
    for row in connection.execute(query.order_by(outbox.c.id)):
        yield (
            *(row.id, row.kind, row.chat_id, row.payload.get("order"), _utc(row.created_at), _ist(row.created_at)),
            *(_utc(row.sent_at), _ist(row.sent_at), _milliseconds(row.created_at, row.sent_at)),
            *(_fate(row), row.told_in, row.payload.get("words")),
        )


def _fate(row: Row[Any]) -> str:
    if row.sent_at is not None:
        return "sent"
    if row.told_in is not None:
        return "told in a summary"
    return row.left_out or "waits"


def _slippage(track: Track, price: Decimal | None) -> tuple[Decimal | None, str]:
    """Rupees a share, without a sign, and which way it went."""
    slippage = track.slippage(price)
    if slippage is None:
        return None, ""
    return abs(slippage), "worse" if slippage > 0 else "better" if slippage < 0 else "none"


def _utc(instant: datetime | None) -> str:
    return "" if instant is None else instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ist(instant: datetime | None) -> str:
    return "" if instant is None else to_india(instant).strftime("%Y-%m-%d %H:%M:%S")


def _milliseconds(since: datetime, until: datetime | None) -> int | None:
    """None where it is not known, as with times of two clocks that were apart."""
    if until is None or until < since:
        return None
    return round((until - since).total_seconds() * 1000)
