"""What the pictures show, and having them drawn: in a process that ends, so the desk stays as small as it was."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import structlog

from core.clock import INDIA, to_india
from core.domain.order import OrderState
from core.domain.sessions import Day, Trading, spoken_day
from core.errors import Refusal
from core.pnl import Point
from core.settings import Mode
from core.tracks import Track

log = structlog.get_logger()

PATIENCE = 30.0
DAYS = 30
_WAITS = "The picture could not be drawn; the log says why."
_OPENS, _CLOSES = time(8, 30), time(16, 30)
_MARGIN = timedelta(minutes=10)
Spec = Mapping[str, Any]


class Painter:
    """Draws one picture at a time: two would only slow each other, and the desk. `folder` keeps the fonts' list."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._one = asyncio.Lock()

    async def draw(self, spec: Spec) -> bytes:
        """The PNG. Raises Refusal when there is none."""
        async with self._one:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.drawing",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "MPLCONFIGDIR": str(self._folder.resolve())},
            )
            try:
                async with asyncio.timeout(PATIENCE):
                    picture, complaint = await process.communicate(json.dumps(spec).encode())
            except TimeoutError:
                log.warning("picture_not_drawn", why="it took too long")
                raise Refusal(_WAITS) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            log.warning("picture_not_drawn", why=complaint.decode(errors="replace")[-600:])
            raise Refusal(_WAITS)
        return picture


def day_curve(points: Sequence[Point], day: date, mode: Mode) -> Spec:
    """Raises Refusal when nobody looked that day."""
    if not points:
        raise Refusal(
            f"Of {spoken_day(day)} nothing is known yet: the desk looks after fills, every quarter of an hour while "
            "something is open, at the close, and when you ask with /pnl."
        )
    return {
        "kind": "day",
        "title": f"Profit and loss, {spoken_day(day)}{_paper(mode)}",
        "note": "Each dot is a look at Dhan's positions; between\ndots nothing is known. Before charges.",
        "points": [
            {"at": point.at.isoformat(), "total": str(point.total), "realised": str(point.realised)} for point in points
        ],
    }


def month_curve(found: Mapping[date, Point], trades: Mapping[date, bool], mode: Mode) -> Spec:
    """`trades`: of each day of the span whether the market was open. Raises Refusal when nothing is known at all."""
    if not found:
        raise Refusal("Of these 30 days nothing is known yet: the desk keeps what it sees from its first fill on.")
    days = [
        {"day": day.isoformat(), "total": str(found[day].total) if day in found else None, "trades": is_open}
        for day, is_open in trades.items()
    ]
    return {
        "kind": "month",
        "title": f"Profit and loss, {DAYS} days{_paper(mode)}",
        "note": "Each day's last look at Dhan's positions, before\ncharges. Shares held over night are not in it.",
        "days": days,
    }


def timeline(alerts: Sequence[datetime], tracks: Sequence[Track], hours: Day, now: datetime, mode: Mode) -> Spec:
    """Alerts, orders and fills of the day of `now`."""
    today = to_india(now).date()
    begins, ends = _at(today, _OPENS), _at(today, _CLOSES)
    midnight, next_midnight = _at(today, time(0)), _at(today + timedelta(days=1), time(0))
    orders = [_bar(track, midnight, min(now, next_midnight)) for track in tracks if track.sent_at is not None]
    fills = [
        {
            "at": fill.at.isoformat(),
            "side": track.order.side.value,
            "name": f"{fill.quantity} {track.order.symbol[:14]}",
        }
        for track in tracks
        for fill in track.fills
        if midnight <= fill.at < next_midnight
    ]
    told = [*alerts, *(datetime.fromisoformat(fill["at"]) for fill in fills)]
    told += [datetime.fromisoformat(order["ends"]) for order in orders]
    if not told:
        raise Refusal("Nothing has happened today: no alert, no order, no fill.")
    sessions = hours.sessions if isinstance(hours, Trading) else ()
    return {
        "kind": "timeline",
        "title": f"{spoken_day(today)}{_paper(mode)}",
        "note": f"Alerts {len(alerts)} · orders {len(orders)} · fills {len(fills)}, as the desk saw them\n"
        "▲ bought  ▼ sold  ▬ green filled, red failed, blue other",
        "alerts": [at.isoformat() for at in alerts],
        "orders": orders,
        "fills": sorted(fills, key=lambda fill: fill["at"]),
        "sessions": [[_at(today, span.opens).isoformat(), _at(today, span.closes).isoformat()] for span in sessions],
        "from": min(begins, *(at - _MARGIN for at in told)).isoformat(),
        "to": max(ends, *(at + _MARGIN for at in told)).isoformat(),
    }


def _bar(track: Track, midnight: datetime, now: datetime) -> dict[str, Any]:
    begins = max(track.sent_at or midnight, midnight)
    ends = max(track.settled_at or now, begins)
    return {"begins": begins.isoformat(), "ends": ends.isoformat(), "state": OrderState(track.order.state).value}


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, INDIA)


def _paper(mode: Mode) -> str:
    return " · PAPER" if mode is Mode.PAPER else ""
