"""The trust ladder, and how a source's rules and the desk's go together."""

from datetime import timedelta
from decimal import Decimal

import pytest

from core.domain.approval import ApprovalPolicy, stricter
from core.domain.limits import Breach, worse
from core.domain.source import Source, why_ask
from core.domain.trust import Trust, in_words, is_higher
from tests.builders import NOON

TODAY = NOON.date()
A, Q, N = ApprovalPolicy.ALWAYS, ApprovalPolicy.QUEUED, ApprovalPolicy.NEVER
SOFT, HARD = Breach(is_hard=False, words="soft"), Breach(is_hard=True, words="hard")
OWN_SOFT, OWN_HARD = Breach(is_hard=False, words="own soft"), Breach(is_hard=True, words="own hard")


@pytest.mark.parametrize(
    ("desk", "source", "together"),
    [
        *((desk, None, desk) for desk in (A, Q, N)),
        *((A, source, A) for source in (A, Q, N)),
        *((desk, A, A) for desk in (A, Q, N)),
        (Q, Q, Q),
        (Q, N, Q),
        (N, Q, Q),
        (N, N, N),
    ],
)
def test_the_stricter_policy_wins(
    desk: ApprovalPolicy, source: ApprovalPolicy | None, together: ApprovalPolicy
) -> None:
    assert stricter(desk, source) is together


@pytest.mark.parametrize(
    ("desk", "source", "together"),
    [
        (None, None, None),
        (None, OWN_SOFT, OWN_SOFT),
        (None, OWN_HARD, OWN_HARD),
        (SOFT, None, SOFT),
        (SOFT, OWN_SOFT, SOFT),
        (SOFT, OWN_HARD, OWN_HARD),
        (HARD, None, HARD),
        (HARD, OWN_SOFT, HARD),
        (HARD, OWN_HARD, HARD),
    ],
)
def test_the_stricter_limit_wins(desk: Breach | None, source: Breach | None, together: Breach | None) -> None:
    assert worse(desk, source) is together


@pytest.mark.parametrize(
    ("step", "below"),
    [
        (Trust.AUTOMATIC, Trust.FIRST),
        (Trust.FIRST, Trust.EACH),
        (Trust.EACH, Trust.EACH),
        (Trust.PAPER, Trust.PAPER),
    ],
)
def test_a_rejection_takes_one_step_down_and_never_the_tap_away(step: Trust, below: Trust) -> None:
    assert step.after_rejection is below


def test_the_ladder_rises_step_by_step_and_no_ladder_is_above_all() -> None:
    steps = [*Trust, None]
    for place, before in enumerate(steps):
        assert [is_higher(after, before) for after in steps] == [n > place for n in range(len(steps))]


@pytest.mark.parametrize(
    ("source", "value", "asked"),
    [
        (Source(), Decimal(10**9), ""),
        (Source(trust=Trust.PAPER), Decimal(1), ""),
        (Source(trust=Trust.EACH), Decimal(1), "You approve every order of tradingview."),
        (Source(trust=Trust.FIRST), Decimal(1), "You approve the first order of tradingview each day."),
        (
            Source(trust=Trust.FIRST, approved_on=TODAY - timedelta(days=1)),
            Decimal(1),
            "You approve the first order of tradingview each day.",
        ),
        (Source(trust=Trust.FIRST, approved_on=TODAY), Decimal(10**9), ""),
        (Source(trust=Trust.AUTOMATIC, automatic_below=Decimal(25_000)), Decimal(25_000), ""),
        (
            Source(trust=Trust.AUTOMATIC, automatic_below=Decimal(25_000)),
            Decimal("25000.05"),
            "tradingview is automatic up to ₹25,000.00, and this is ₹25,000.05.",
        ),
        (
            Source(trust=Trust.AUTOMATIC, automatic_below=Decimal(25_000)),
            None,
            "tradingview is automatic up to ₹25,000.00, and what this order is worth is not known.",
        ),
    ],
)
def test_each_step_asks_about_what_it_does_not_let_go(source: Source, value: Decimal | None, asked: str) -> None:
    assert why_ask(source, value, NOON) == asked


def test_every_step_has_words() -> None:
    assert "nothing" not in "".join(in_words(step, Decimal(5)) for step in (*Trust, None))
    assert in_words(Trust.AUTOMATIC, Decimal(100_000)) == "automatic: an order above ₹1,00,000.00 asks"
