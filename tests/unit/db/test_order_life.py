"""The table of legal moves, written down here a second time by hand."""

from itertools import product

import pytest

from core.domain.order import MOVES, IllegalMove, OrderState, check_move

LEGAL = {
    "refused": "",
    "awaiting_approval": "queued declined expired unknown",
    "queued": "submitting awaiting_approval declined expired unknown",
    "submitting": "working rejected queued unknown",
    "unknown": "working part_filled filled cancelled rejected lapsed needs_operator",
    "needs_operator": "queued dropped working",
    "working": "part_filled filled cancelling cancelled rejected lapsed unknown",
    "part_filled": "cancelling filled cancelled rejected lapsed",
    "cancelling": "working part_filled filled cancelled rejected lapsed unknown",
    "declined": "",
    "expired": "",
    "dropped": "working",
    "filled": "",
    "cancelled": "",
    "rejected": "",
    "lapsed": "",
}
FINAL = {"refused", "declined", "expired", "dropped", "filled", "cancelled", "rejected", "lapsed"}


def test_the_table_speaks_of_every_state() -> None:
    assert set(MOVES) == set(OrderState)
    assert {state.value for state in OrderState} == set(LEGAL)


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(*pair, id="-".join(pair)) for pair in product(LEGAL, LEGAL)]
)
def test_an_order_moves_as_the_table_says_and_no_other_way(before: str, after: str) -> None:
    if after in LEGAL[before].split():
        check_move(OrderState(before), OrderState(after))
    else:
        with pytest.raises(IllegalMove, match=f"from {before} to {after}"):
            check_move(OrderState(before), OrderState(after))


@pytest.mark.parametrize("state", OrderState)
def test_the_states_at_the_end_are_final(state: OrderState) -> None:
    assert state.is_final is (state.value in FINAL)


@pytest.mark.parametrize("state", [state for state in OrderState if state.is_final])
def test_nothing_follows_an_end_but_an_order_that_was_given_up_and_shows_up(state: OrderState) -> None:
    assert MOVES[state] == ({OrderState.WORKING} if state is OrderState.DROPPED else set())


def test_an_order_in_doubt_is_never_queued_again_without_a_human() -> None:
    assert OrderState.QUEUED not in MOVES[OrderState.UNKNOWN]
    assert OrderState.SUBMITTING not in MOVES[OrderState.UNKNOWN] | MOVES[OrderState.NEEDS_OPERATOR]


def test_only_a_queued_order_is_sent() -> None:
    assert [state for state in OrderState if OrderState.SUBMITTING in MOVES[state]] == [OrderState.QUEUED]


def test_an_order_at_the_broker_never_comes_back_to_the_desk_but_in_doubt() -> None:
    """The broker acknowledged it, and has it nowhere."""
    desk = {"awaiting_approval", "queued", "submitting", "needs_operator", "declined", "expired", "dropped"}
    at_broker = [state for state in OrderState if state.is_at_broker]
    assert {state.value for state in at_broker} == {"working", "part_filled", "cancelling"}
    assert not [state for state in at_broker if MOVES[state] & set(map(OrderState, desk))]
