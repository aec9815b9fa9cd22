"""What people type behind /policy and /limits, and what it does."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot import rules
from core.domain.approval import ApprovalPolicy
from core.domain.limits import Bound, Limit, Limits
from core.domain.routing import ReleasePolicy
from core.errors import Refusal
from core.policies import Policies, Unapproved

LIMITED = Limits(bounds={Limit.ORDER_VALUE: Bound(soft=Decimal(50_000), hard=Decimal(90_000))})


def policy(words: str, before: Policies | None = None) -> Policies:
    return rules.change_policy(before or Policies(), words.split())


def limits(words: str, before: Limits | None = None) -> Limits:
    return rules.change_limits(before or Limits(), words.split())


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("approval always", Policies(approval=ApprovalPolicy.ALWAYS)),
        ("Approval NEVER", Policies(approval=ApprovalPolicy.NEVER)),
        ("release open", Policies(release=ReleasePolicy.OPEN)),
        ("unapproved expire", Policies(unapproved=Unapproved.EXPIRE)),
        ("stale 90s", Policies(stale=timedelta(seconds=90))),
        ("entries 30m", Policies(entries=timedelta(minutes=30))),
        ("exits 4h", Policies(exits=timedelta(hours=4))),
        ("drift 2.5%", Policies(drift=Decimal("2.5"))),
        ("drift 5", Policies(drift=Decimal(5))),
        ("drift off", Policies(drift=None)),
    ],
)
def test_a_policy_is_set_by_its_name(words: str, after: Policies) -> None:
    assert policy(words) == after


def test_patience_can_be_given_back_to_the_window() -> None:
    assert policy("entries window", Policies(entries=timedelta(minutes=30))) == Policies()


@pytest.mark.parametrize("word", ["0", "-3", "much", "51%", "3 %", "1e1", "NaN"])
def test_a_drift_that_cannot_be_read_is_refused_with_an_example(word: str) -> None:
    with pytest.raises(Refusal, match="such as 3%, or off"):
        rules.change_policy(Policies(), ["drift", word])


@pytest.mark.parametrize("words", ["", "approval", "approval sometimes", "approval always now", "colour red"])
def test_what_is_no_policy_is_refused_with_the_usage(words: str) -> None:
    with pytest.raises(Refusal, match=r"/policy approval queued\|always\|never"):
        policy(words)


@pytest.mark.parametrize("word", ["", "5", "m", "-5m", "0m", "1.5h", "25h", "5 m"])
def test_a_length_of_time_that_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(Refusal):
        rules.change_policy(Policies(), ["stale", word])


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("order_value soft 50000", {Limit.ORDER_VALUE: Bound(soft=Decimal(50_000))}),
        ("order_value hard ₹2,00,000", {Limit.ORDER_VALUE: Bound(hard=Decimal(200_000))}),
        ("day_orders hard 20", {Limit.DAY_ORDERS: Bound(hard=Decimal(20))}),
    ],
)
def test_a_limit_is_set_by_its_name(words: str, after: dict[Limit, Bound]) -> None:
    assert limits(words).bounds == after


def test_a_limit_can_be_taken_off_one_side_after_the_other() -> None:
    once = limits("order_value soft off", LIMITED)
    assert once.bounds == {Limit.ORDER_VALUE: Bound(hard=Decimal(90_000))}
    assert limits("order_value hard off", once).bounds == {}


def test_symbols_are_allowed_denied_and_cleared() -> None:
    listed = limits("deny idea", limits("allow tcs, infy"))
    assert (listed.allowed, listed.denied) == ({"TCS", "INFY"}, {"IDEA"})
    assert limits("clear TCS IDEA", listed) == Limits(allowed=frozenset({"INFY"}))


@pytest.mark.parametrize(
    "words",
    ["", "allow", "order_value", "order_value soft", "order_value firm 5", "weight soft 5", "order_value soft 5 6"],
)
def test_what_is_no_limit_is_refused_with_the_usage(words: str) -> None:
    with pytest.raises(Refusal, match="/limits order_value soft 50000"):
        limits(words)


@pytest.mark.parametrize("amount", ["0", "-5", "lots", "NaN", "Infinity", "1e99"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(Refusal, match="no amount"):
        limits(f"order_value soft {amount}")


def test_a_soft_limit_above_the_hard_one_is_refused() -> None:
    with pytest.raises(Refusal, match="must not lie above"):
        limits("order_value soft 90001", LIMITED)


@pytest.mark.parametrize(
    ("words", "is_looser"),
    [
        ("approval always", False),
        ("approval never", True),
        ("release open", False),
        ("stale 30s", False),
        ("stale 3m", True),
        ("entries 30m", False),
        ("drift 2%", False),
        ("drift 4%", True),
        ("drift off", True),
    ],
)
def test_letting_more_go_without_a_tap_is_loosening(words: str, *, is_looser: bool) -> None:
    assert rules.loosens(Policies(), policy(words)) is is_looser


@pytest.mark.parametrize(
    ("words", "is_looser"),
    [
        ("order_value soft 40000", False),
        ("order_value soft 60000", True),
        ("order_value hard off", True),
        ("day_orders hard 5", False),
        ("deny TCS", False),
        ("allow TCS", False),
    ],
)
def test_a_limit_that_is_raised_or_taken_off_is_loosening(words: str, *, is_looser: bool) -> None:
    before = Policies(limits=LIMITED)
    assert rules.loosens(before, Policies(limits=limits(words, LIMITED))) is is_looser


def test_a_symbol_that_is_allowed_besides_others_or_denied_no_more_is_loosening() -> None:
    only_tcs, no_idea = Policies(limits=limits("allow TCS")), Policies(limits=limits("deny IDEA"))
    assert rules.loosens(only_tcs, Policies(limits=limits("allow INFY", only_tcs.limits)))
    assert rules.loosens(only_tcs, Policies())
    assert rules.loosens(no_idea, Policies())


def test_every_policy_and_limit_is_told_in_words() -> None:
    told = rules.policy_words(Policies(entries=timedelta(minutes=30)))
    assert "stale: an alert older than 2m asks" in told
    assert "entries: go within 30m of their window's start" in told
    assert "drift: 3% (what waited asks when its price moved further, where Dhan's data plan tells the price)" in told
    assert "drift: off (an order that waited goes at any price)" in rules.policy_words(Policies(drift=None))
    assert rules.limit_words(Limits()) == ["There are no limits."]
    [words, warning] = rules.limit_words(LIMITED)
    assert words == "order_value: soft ₹50,000.00, hard ₹90,000.00 (value of one order)"
    assert "every market order asks" in warning


def test_a_first_limit_in_rupees_warns_that_market_orders_will_ask() -> None:
    def told(words: str, before: Limits | None = None) -> list[str]:
        return rules.consequences(Policies(limits=before or Limits()), Policies(limits=limits(words, before)))

    assert "every market order asks" in told("order_value soft 50000")[0]
    assert told("order_quantity soft 50") == []
    assert told("order_value soft 60000", LIMITED) == []
