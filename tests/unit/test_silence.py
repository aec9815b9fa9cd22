"""When a source counts as silent: bars pass only while its market is open."""

import pytest

from core.domain.instrument import Market
from core.domain.silence import Bar, Watch, is_silent, watch_of
from tests.builders import CALENDAR
from tests.integration.paper_dhan import india


@pytest.mark.parametrize(
    ("watch", "heard", "now", "silent"),
    [
        # A Wednesday: 3 × 15 minutes of an open market.
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 10:00", "2026-11-25 10:44", False),
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 10:00", "2026-11-25 10:45", True),
        # Before the open and overnight nothing passes.
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 08:00", "2026-11-25 09:59", False),
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 08:00", "2026-11-25 10:00", True),
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 15:00", "2026-11-26 09:29", False),
        (Watch(bars=3, bar=Bar.M15), "2026-11-25 15:00", "2026-11-26 09:30", True),
        # Friday's close to Monday's open, over a weekend.
        (Watch(bars=1, bar=Bar.H1), "2026-11-27 15:00", "2026-11-30 09:44", False),
        (Watch(bars=1, bar=Bar.H1), "2026-11-27 15:00", "2026-11-30 09:45", True),
        # Daily bars end with their sessions.
        (Watch(bars=1, bar=Bar.D1), "2026-11-25 15:35", "2026-11-26 15:29", False),
        (Watch(bars=1, bar=Bar.D1), "2026-11-25 15:35", "2026-11-26 15:30", True),
        (Watch(bars=2, bar=Bar.D1), "2026-11-27 15:35", "2026-11-30 23:00", False),
        (Watch(bars=2, bar=Bar.D1), "2026-11-27 15:35", "2026-12-01 15:30", True),
        # Commodities trade on when shares do not.
        (Watch(bars=2, bar=Bar.H1, market=Market.COMMODITY), "2026-11-25 17:00", "2026-11-25 19:00", True),
        (Watch(bars=2, bar=Bar.H1), "2026-11-25 17:00", "2026-11-25 19:00", False),
        # A clock that went back is no silence.
        (Watch(bars=1, bar=Bar.M1), "2026-11-25 12:00", "2026-11-24 12:00", False),
    ],
)
def test_silence_is_counted_in_bars_of_market_time(watch: Watch, heard: str, now: str, silent: bool) -> None:
    assert is_silent(watch, CALENDAR, india(heard), india(now)) is silent


def test_past_the_calendars_end_nobody_is_called_silent() -> None:
    assert not is_silent(Watch(bars=1, bar=Bar.M1), CALENDAR, india("2031-01-01 10:00"), india("2031-02-01 10:00"))


def test_a_watch_is_stored_and_read_back() -> None:
    watch = Watch(bars=3, bar=Bar.M15, market=Market.COMMODITY)
    assert watch_of(watch.row) == watch
    assert watch.words == "3 bars of 15m, commodity"
