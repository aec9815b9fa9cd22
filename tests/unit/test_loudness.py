"""How loudly each kind of message comes, and which may never be off."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.notice import Loudness, Loudnesses, Notice, Topic, topic_of

NEVER_OFF = [
    *(Notice.FILLED, Notice.PART_FILLED, Notice.REJECTED, Notice.ALERT_FAILED, Notice.UNKNOWN, Notice.NEEDS_OPERATOR),
    *(Notice.RESTING, Notice.FILL_NOT_SHOWN, Notice.CONFLICT, Notice.UNSEEN, Notice.EXPIRED, Notice.LAPSED),
    *(Notice.SIGN_IN, Notice.HELD),
    *(Notice.TRUST, Notice.SILENT, Notice.OLD_KEY, Notice.SECOND_POLLER),
]
NIGHT = (time(22), time(7))


@pytest.mark.parametrize("kind", NEVER_OFF)
def test_what_costs_money_is_never_off(kind: Notice) -> None:
    with pytest.raises(ValueError, match="never off"):
        Loudnesses().wish(topic_of(kind), Loudness.OFF)
    stored_by_hand = Loudnesses(topics={topic_of(kind): Loudness.OFF})
    assert not stored_by_hand.is_off(kind)
    assert stored_by_hand.is_silent(kind, time(12))


def test_reports_may_be_silent_or_off() -> None:
    assert Loudnesses().wish(Topic.REPORTS, Loudness.OFF).is_off(Notice.READINESS)
    silent = Loudnesses().wish(Topic.REPORTS, Loudness.SILENT)
    assert silent.is_silent(Notice.DAY, time(18))
    assert not silent.is_off(Notice.DAY)


@pytest.mark.parametrize(
    ("quiet", "clock", "is_quiet"),
    [
        (NIGHT, time(21, 59), False),
        (NIGHT, time(22), True),
        (NIGHT, time(3), True),
        (NIGHT, time(7), False),
        ((time(13), time(14)), time(13, 59), True),
        ((time(13), time(14)), time(14), False),
        (None, time(3), False),
    ],
)
def test_quiet_hours_are_half_open_and_may_run_past_midnight(
    quiet: tuple[time, time] | None, clock: time, is_quiet: bool
) -> None:
    assert Loudnesses(quiet=quiet).is_quiet(clock) is is_quiet
    assert Loudnesses(quiet=quiet).is_silent(Notice.FILLED, clock) is is_quiet


def test_a_sign_in_that_was_made_is_news_and_silent_at_night() -> None:
    assert Loudnesses(quiet=NIGHT).is_silent(Notice.SIGNED_IN, time(3))
    assert Loudnesses().wish(Topic.NEWS, Loudness.OFF).is_off(Notice.SIGNED_IN)


def test_a_doubt_rings_at_night() -> None:
    assert not Loudnesses(quiet=NIGHT).is_silent(Notice.UNKNOWN, time(3))


@given(st.sampled_from(Notice), st.sampled_from(Loudness), st.times())
def test_whatever_was_wished_nothing_that_is_never_off_is_off(kind: Notice, wish: Loudness, clock: time) -> None:
    wished = Loudnesses(topics=dict.fromkeys(Topic, wish), quiet=NIGHT)
    assert not wished.is_off(kind) or topic_of(kind).may_be_off
    assert isinstance(wished.is_silent(kind, clock), bool)
