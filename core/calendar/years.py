"""The shape of a year's JSON. `source` and `confidence` are for whoever checks a row; no rule reads them."""

from datetime import date, time
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.domain.alert import OrderType
from core.domain.instrument import Market, SegmentClass


class Covers(StrEnum):
    """WHOLE_YEAR: without a row a weekday is open, a weekend day closed. LISTED_DAYS: without a row it is unknown."""

    WHOLE_YEAR = "whole_year"
    LISTED_DAYS = "listed_days"


class Confidence(StrEnum):
    SURE = "sure"
    LIKELY = "likely"
    UNVERIFIED = "unverified"


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(_Row):
    source: Annotated[str, Field(min_length=1)]
    confidence: Confidence
    note: str = ""


def _in_order(span: tuple[time, time]) -> tuple[time, time]:
    if span[0] >= span[1]:
        raise ValueError("must open before it closes")
    return span


def _one_after_the_other(spans: tuple[tuple[time, time], ...]) -> tuple[tuple[time, time], ...]:
    if any(later[0] < earlier[1] for earlier, later in pairwise(spans)):
        raise ValueError("sessions must follow one another")
    return spans


SpanRow = Annotated[tuple[time, time], AfterValidator(_in_order)]
SessionRows = Annotated[tuple[SpanRow, ...], Field(min_length=1), AfterValidator(_one_after_the_other)]


class DayRow(Sourced):
    """One day that is not as its weekday would have it: closed, open at hours of its own, or unknown."""

    date: date
    closed: str | None = None
    open: SessionRows | None = None
    unknown: str | None = None
    why: str = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.closed, self.open, self.unknown)) != 1:
            raise ValueError("must be exactly one of closed, open, unknown")
        return self


class MarketDays(_Row):
    covers: Covers
    rows: tuple[DayRow, ...]


class AuctionRow(_Row):
    span: SpanRow
    entry: dict[OrderType, SpanRow]


class AmoRow(Sourced):
    evening_opens: time | None
    morning_closes: time


class SquareOffRow(Sourced):
    at: time


class HoursRow(Sourced):
    """A class's usual hours from `valid_from` until its next row."""

    segment_class: Annotated[SegmentClass, Field(alias="class")]
    valid_from: date
    sessions: SessionRows
    amo: AmoRow
    pre_open: AuctionRow | None = None
    post_close: SpanRow | None = None
    closing_auction: AuctionRow | None = None
    expiring_index_closes: time | None = None
    square_off: SquareOffRow | None = None
    by_day_only: bool = False


class Year(_Row):
    about: str
    year: int
    days: dict[Market, MarketDays]
    hours: tuple[HoursRow, ...]

    @model_validator(mode="after")
    def _rows_belong_here(self) -> Self:
        for market, listed in self.days.items():
            dates = [row.date for row in listed.rows]
            if any(on.year != self.year for on in dates):
                raise ValueError(f"days.{market} has a row of another year")
            if len(set(dates)) < len(dates):
                raise ValueError(f"days.{market} has two rows for one date")
        return self
