"""What an identical body is: the first copy again, perhaps a second order, an old one sent again, or a new wish."""

from datetime import datetime, timedelta

import pytest

from core.domain.identity import SAME_WISH_WITHIN, STALE_AFTER, Copy, FirstCopy, judge_copy
from core.domain.source import IdenticalAlerts
from tests.builders import NOON

ASK, ACCEPT, FOLD = IdenticalAlerts.ASK, IdenticalAlerts.ACCEPT, IdenticalAlerts.FOLD
MOMENT = timedelta(microseconds=1)


def judged(first: FirstCopy | None, *, policy: IdenticalAlerts = ASK, fired_at: datetime | None = None) -> Copy:
    return judge_copy(first, now=NOON, fired_at=fired_at, policy=policy)


def answered(ago: timedelta) -> FirstCopy:
    return FirstCopy(received_at=NOON - ago, answered_at=NOON - ago, being_answered=False)


NEVER_ANSWERED = FirstCopy(received_at=NOON - timedelta(seconds=5), answered_at=None, being_answered=False)
IN_FLIGHT = FirstCopy(received_at=NOON - timedelta(seconds=5), answered_at=None, being_answered=True)


@pytest.mark.parametrize("policy", IdenticalAlerts)
def test_a_body_never_seen_is_new_however_old_it_is(policy: IdenticalAlerts) -> None:
    assert judged(None, policy=policy, fired_at=NOON - timedelta(days=3)) is Copy.NEW


@pytest.mark.parametrize("policy", IdenticalAlerts)
@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=3)])
def test_a_body_whose_first_copy_was_never_answered_is_that_copy_again(policy: IdenticalAlerts, age: timedelta) -> None:
    assert judged(NEVER_ANSWERED, policy=policy, fired_at=NOON - age) is Copy.RESEND


@pytest.mark.parametrize(("policy", "copy"), [(ASK, Copy.REPEAT), (ACCEPT, Copy.NEW), (FOLD, Copy.RESEND)])
@pytest.mark.parametrize(
    "first",
    [
        IN_FLIGHT,
        FirstCopy(received_at=NOON - timedelta(hours=1), answered_at=NOON - timedelta(hours=1), being_answered=True),
        answered(timedelta(0)),
        answered(SAME_WISH_WITHIN),
        answered(-SAME_WISH_WITHIN),
    ],
    ids=["in flight", "in flight again", "just answered", "a minute ago", "a minute ahead of a clock moved back"],
)
def test_a_copy_within_the_minute_is_the_sources_policy(first: FirstCopy, policy: IdenticalAlerts, copy: Copy) -> None:
    assert judged(first, policy=policy) is copy


@pytest.mark.parametrize("policy", IdenticalAlerts)
def test_after_a_minute_an_identical_body_is_a_wish_of_its_own(policy: IdenticalAlerts) -> None:
    assert judged(answered(SAME_WISH_WITHIN + MOMENT), policy=policy) is Copy.NEW
    assert judged(answered(SAME_WISH_WITHIN + MOMENT), policy=policy, fired_at=NOON - STALE_AFTER) is Copy.NEW


@pytest.mark.parametrize("policy", IdenticalAlerts)
def test_after_a_minute_a_body_that_says_it_is_old_is_a_replay(policy: IdenticalAlerts) -> None:
    first = answered(SAME_WISH_WITHIN + MOMENT)
    assert judged(first, policy=policy, fired_at=NOON - STALE_AFTER - MOMENT) is Copy.REPLAY


def test_a_body_whose_first_copy_was_never_noted_as_answered_is_a_new_wish_once_resends_have_ended() -> None:
    first = FirstCopy(received_at=NOON - timedelta(minutes=3), answered_at=None, being_answered=False)
    assert judge_copy(first, now=NOON, fired_at=None, policy=IdenticalAlerts.ASK) is Copy.NEW
