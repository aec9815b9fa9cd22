"""Reads decisions.txt, and says a decision in its words."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from core.domain.alert import AmoTime, OrderType
from core.domain.instrument import SegmentClass
from core.domain.order import Mode
from core.domain.routing import Decision, ReleasePolicy
from core.domain.sessions import INDIA

TABLE = Path(__file__).with_name("decisions.txt")


@dataclass(frozen=True)
class Contract:
    """What is traded, as far as the market's hours go."""

    segment_class: SegmentClass
    expiry: date | None = None
    index_expiry: date | None = None


@dataclass(frozen=True)
class Row:
    text: str
    when: datetime
    segment_class: SegmentClass
    words: frozenset[str]
    expected: str

    @property
    def asked(self) -> dict[str, Any]:
        """What `route` is asked, less the calendar."""
        return {
            "traded": Contract(self.segment_class, index_expiry=self.expiry),
            "now": self.when,
            "order_type": next((kind for kind in OrderType if kind in self.words), OrderType.LIMIT),
            "amo_time": next((at for at in AmoTime if at in self.words), AmoTime.OPEN_30),
            "policy": ReleasePolicy.OPEN if "open" in self.words else ReleasePolicy.AMO,
        }

    @property
    def expiry(self) -> date | None:
        return self.when.date() if "expires_today" in self.words else None


def read_rows() -> list[Row]:
    return [_row(line) for line in TABLE.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def _row(line: str) -> Row:
    when, segment_class, asked, expected = (cell.strip() for cell in line.split("|"))
    instant = datetime.fromisoformat(when[4:]).replace(tzinfo=INDIA)
    return Row(line, instant, SegmentClass(segment_class), frozenset(asked.split()), expected)


def in_words(decision: Decision) -> str:
    """The decision column of the table."""
    match decision.mode:
        case None:
            return "hold"
        case Mode.IMMEDIATE:
            return "now"
        case Mode.AMO:
            return f"amo, {_said(decision.reaches_exchange_at)}"
        case Mode.QUEUE:
            how = f"amo, {_said(decision.reaches_exchange_at)}" if decision.as_amo else "regular"
            return f"wait {_said(decision.release_at)}, {how}"


def _said(at: datetime | None) -> str:
    assert at is not None
    return f"{at.astimezone(INDIA):%a %Y-%m-%d %H:%M}"
