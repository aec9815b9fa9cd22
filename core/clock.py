"""What time it is: the only place in the product that asks the machine.

Decisions are made in India time, storage is in UTC. In paper mode the clock can be moved: the offset lives in
one small file in the data directory, so that the web process, the desk and the stand-ins agree on the time.
"""

import json
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

INDIA = ZoneInfo("Asia/Kolkata")


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock. Leases and heartbeats use it in every mode, so that moving paper time kills no lease."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class PaperClock:
    """The machine's clock plus the offset that `jump_to` wrote; every process that opened the same file follows."""

    file: Path
    _seen: tuple[int, int] | None = field(default=None, repr=False)
    _offset: timedelta = field(default=timedelta(0), repr=False)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._current_offset()

    def jump_to(self, instant: datetime) -> None:
        """Make it `instant` now; time runs on from there. Raises ValueError for an instant without a zone."""
        if instant.tzinfo is None:
            raise ValueError("the clock needs an instant with a time zone")
        offset = instant - datetime.now(UTC)
        scratch = self.file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps({"offset_seconds": offset.total_seconds()}))
        scratch.replace(self.file)

    def _current_offset(self) -> timedelta:
        try:
            stat = os.stat(self.file)  # noqa: PTH116 - asked at every alert, and half as long
        except FileNotFoundError:
            return timedelta(0)
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            self._offset = timedelta(seconds=json.loads(self.file.read_text())["offset_seconds"])
            self._seen = seen
        return self._offset


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`now` is the desk's time, `wall` the machine's."""

    now: datetime
    wall: datetime


def moved_to(clock: Clock) -> datetime | None:
    """What a clock says that is not the machine's time; None when it is."""
    now = clock.now()
    return now if abs(now - SystemClock().now()) > timedelta(minutes=1) else None


def to_india(instant: datetime) -> datetime:
    return instant.astimezone(INDIA)


def monotonic() -> float:
    """Seconds on a clock that nobody can set; for time-outs and pacing."""
    return time.monotonic()
