"""Buttons: there only while they mean something, and small enough for Telegram."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.callback_data import CardTap, Verb, pack, unpack
from bot.keyboards import card_buttons, confirm_cancel_working, confirm_send_again
from core.domain.order import Mode, OrderState
from core.domain.ways import Alternative
from core.reports import AlertReport, Offers
from tests.builders import NOON
from tests.unit.bot.reports import order, report

NONCE = "Zm9vYmFyYmF6cXV4-_0123"
BUTTONS = {
    OrderState.AWAITING_APPROVAL: [Verb.APPROVE, Verb.CANCEL, Verb.SNOOZE, Verb.EDIT, Verb.DETAILS],
    OrderState.QUEUED: [Verb.DETAILS, Verb.CANCEL, Verb.EDIT],
    OrderState.NEEDS_OPERATOR: [Verb.ASK_SEND_AGAIN, Verb.DROP, Verb.DETAILS],
    OrderState.WORKING: [Verb.ASK_CANCEL_WORKING, Verb.DETAILS],
    OrderState.PART_FILLED: [Verb.ASK_CANCEL_WORKING, Verb.DETAILS],
}


def taps(found: AlertReport) -> list[CardTap]:
    keyboard = card_buttons(found, NONCE)
    rows: Any = keyboard.inline_keyboard if keyboard else ()
    unpacked = [unpack(button.callback_data) for row in rows for button in row]
    assert None not in unpacked
    return [tap for tap in unpacked if tap]


def verbs(found: AlertReport) -> list[Verb]:
    return [tap.verb for tap in taps(found)]


@pytest.mark.parametrize("state", OrderState)
def test_a_card_offers_only_what_can_be_done_in_its_state(state: OrderState) -> None:
    assert verbs(report(order(state))) == BUTTONS.get(state, [])


def test_where_approve_was_a_second_tap_does_no_harm() -> None:
    asked, approved = verbs(report(order(OrderState.AWAITING_APPROVAL))), verbs(report(order(OrderState.QUEUED)))
    assert (asked[0], approved[0]) == (Verb.APPROVE, Verb.DETAILS)


def test_a_card_without_orders_offers_nothing() -> None:
    assert card_buttons(report(), NONCE) is None


def test_one_leg_that_asks_is_enough_for_a_button() -> None:
    legs = [order(OrderState.FILLED), order(OrderState.AWAITING_APPROVAL, position=2)]
    assert verbs(report(*legs)) == BUTTONS[OrderState.AWAITING_APPROVAL]


def test_each_leg_of_several_that_waits_has_a_way_out_of_its_own() -> None:
    waiting = [order(OrderState.AWAITING_APPROVAL, position=number) for number in range(1, 7)]
    found = taps(report(order(OrderState.FILLED, position=7), *waiting))
    assert [tap.leg for tap in found if tap.verb is Verb.CANCEL] == [0, 1, 2, 3, 4, 5, 6]
    assert [tap.leg for tap in taps(report(*waiting[:1])) if tap.verb is Verb.CANCEL] == [0]


def test_an_exit_of_very_many_slices_has_no_more_buttons_than_telegram_takes() -> None:
    slices = [order(OrderState.QUEUED, position=number) for number in range(1, 200)]
    assert len(taps(report(*slices))) <= 100


def test_a_copy_that_waits_can_be_executed_from_the_first_card() -> None:
    assert verbs(report(order(OrderState.FILLED), repeats=[42])) == [Verb.REPEAT, Verb.DETAILS]


def test_a_button_carries_the_version_that_the_card_shows() -> None:
    assert {(tap.nonce, tap.version) for tap in taps(report(order(), card_version=17))} == {(NONCE, 17)}


def test_cancelling_at_dhan_takes_a_second_step_that_can_be_taken_back() -> None:
    [row] = confirm_cancel_working(NONCE, 3).inline_keyboard
    assert [button.callback_data for button in row] == [f"undo:{NONCE}:3", f"back:{NONCE}:3"]


def test_sending_again_takes_a_second_step_that_can_be_taken_back() -> None:
    [row] = confirm_send_again(NONCE, 3).inline_keyboard
    assert [button.callback_data for button in row] == [f"again:{NONCE}:3", f"back:{NONCE}:3"]
    assert unpack("again:x:3") != unpack("again?:x:3")


@given(st.sampled_from(Verb), st.integers(0, 999_999_999), st.integers(0, 999))
def test_what_is_packed_is_unpacked_and_fits_telegrams_64_bytes(verb: Verb, version: int, leg: int) -> None:
    tap = CardTap(verb, secrets.token_urlsafe(16), version, leg)
    assert unpack(pack(tap)) == tap
    assert len(pack(tap).encode()) <= 64


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "approve",
        "approve:nonce",
        "approve:nonce:",
        "approve:nonce:-1",
        "approve:nonce:1.5",
        "approve:nonce:1:2:3",
        "approve:nonce:1:-2",
        "approve:nonce:١",
        "approve:nonce:1234567890",
        "APPROVE:nonce:1",
        "buy:nonce:1",
    ],
)
def test_what_no_button_of_ours_carries_is_no_tap(data: str | None) -> None:
    assert unpack(data) is None


@given(st.text(max_size=64))
def test_no_data_breaks_the_reading(data: str) -> None:
    tap = unpack(data)
    assert tap is None or tap.verb in set(Verb)


@given(st.text(max_size=20), st.text(max_size=9))
def test_hostile_versions_are_numbers_or_no_tap(nonce: str, version: str) -> None:
    tap = unpack(f"approve:{nonce}:{version}")
    assert tap is None or tap.version >= 0


def offering(state: OrderState = OrderState.AWAITING_APPROVAL, **offers: Any) -> AlertReport:
    return replace(report(order(state)), offers=Offers(**offers))


def labels(found: AlertReport) -> list[str]:
    keyboard = card_buttons(found, NONCE)
    return [button.text for row in (keyboard.inline_keyboard if keyboard else ()) for button in row]


def a_way(**changes: Any) -> Alternative:
    at = NOON + timedelta(hours=21, minutes=15)
    times = {"release_at": at, "window_ends_at": at + timedelta(hours=6), "reaches_exchange_at": at}
    return Alternative(mode=Mode.QUEUE, as_amo=False, label="", **times | changes)


@pytest.mark.parametrize("state", [OrderState.AWAITING_APPROVAL, OrderState.QUEUED])
def test_a_sooner_way_is_offered_with_its_time(state: OrderState) -> None:
    assert "Sooner: Thu 26 Nov 09:15" in labels(offering(state, sooner=a_way()))
    assert "Sooner: closing auction" in labels(offering(state, sooner=a_way(into_auction=True)))


def test_an_older_opposite_order_can_be_netted_and_an_entry_be_dropped_for_an_exit() -> None:
    other = order(alert_id=40, position=2)
    assert labels(offering(opposite=other))[-3:] == ["Net with 40.2", "Edit", "Details"]
    assert labels(offering(opposite=other, may_supersede=True))[-4:-2] == ["Net with 40.2", "Drop 40.2, keep this"]
