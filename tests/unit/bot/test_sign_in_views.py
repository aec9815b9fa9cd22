"""What is said of the sign-in and the address: how it stands, what to do, and never the token."""

from datetime import date, timedelta

import pytest

from bot import sign_in_views as views
from core.addresses import Proposal
from core.db.tokens import TokenAge
from core.domain.address import Addresses, Registered, Slot
from core.domain.login import Way, count_aloud, why_no_link
from tests.builders import NOON

LIVING = TokenAge(Way.LINK, NOON - timedelta(hours=3, minutes=5), NOON + timedelta(hours=20, minutes=55))


def addresses(
    primary: str = "203.0.113.24", *, detected: str = "203.0.113.24", allowed: bool | None = True
) -> Addresses:
    return Addresses(
        primary=Registered(slot=Slot.PRIMARY, address=primary, free_from=date(2026, 12, 1)),
        secondary=Registered(slot=Slot.SECONDARY, address="", free_from=None),
        detected=detected,
        allowed=allowed,
    )


def test_a_token_shows_its_source_its_age_and_the_hours_left() -> None:
    text = views.token(LIVING, None, NOON)
    assert "by a link in the chat" in text
    assert "3 h 05 min old, made Wed 25 Nov 08:55" in text
    assert "20 h 55 min left, until Thu 26 Nov 08:55" in text


def test_a_token_made_before_the_clock_was_moved_back_shows_the_hours_it_was_made_for() -> None:
    made = NOON + timedelta(days=16)
    text = views.token(TokenAge(Way.TOTP, made, made + timedelta(days=1)), None, NOON)
    assert "0 h 00 min old, made Fri 11 Dec 12:00, before the paper clock was moved back" in text
    assert "24 h 00 min left, until Sat 12 Dec 12:00" in text


@pytest.mark.parametrize("living", [None, TokenAge(Way.TOTP, NOON - timedelta(hours=24), NOON)])
def test_without_a_token_the_hold_says_what_to_do(living: TokenAge | None) -> None:
    assert views.token(living, "Not signed in at Dhan: <open> the link.", NOON) == (
        "🔴 Not signed in at Dhan: &lt;open&gt; the link."
    )
    assert "/login" in views.token(living, None, NOON)


@pytest.mark.parametrize(("used", "warns"), [(0, False), (19, False), (20, True), (23, True)])
def test_the_last_links_of_a_day_are_counted_aloud(used: int, warns: bool) -> None:
    text = views.login_offer(None, count_aloud(used), NOON)
    assert (f"{used} of Dhan's 25" in text) is warns
    assert "within 10 minutes" in text


def test_who_is_signed_in_is_told_that_a_new_sign_in_ends_the_old_one() -> None:
    assert "Signed in until Thu 26 Nov 08:55; a new sign-in ends that one." in views.login_offer(LIVING, "", NOON)


def test_when_no_link_is_left_the_time_of_the_next_one_is_said() -> None:
    assert why_no_link([NOON - timedelta(hours=2)] * 23) is None
    made = [NOON - timedelta(hours=3), *[NOON - timedelta(hours=2)] * 24]
    text = why_no_link(made) or ""
    assert "25 of Dhan's 25" in text
    assert "free at 10:00" in text
    assert "munshi token" in text


def test_the_address_shows_what_is_registered_and_until_when_it_is_fixed() -> None:
    text = views.addresses(addresses())
    assert "Dhan takes orders from here" in text
    assert "Primary 203.0.113.24, fixed until Tue 1 Dec" in text
    assert "Secondary –" in text


def test_what_is_not_known_of_an_address_is_not_claimed() -> None:
    text = views.addresses(addresses(detected="", allowed=None))
    assert "takes orders from here" not in text
    assert "This machine" not in text


def test_a_wrong_address_says_what_is_wrong_and_what_to_do() -> None:
    text = views.addresses(addresses(detected="198.51.100.9", allowed=False))
    assert "Orders would come from 198.51.100.9, but Dhan takes them from 203.0.113.24 only" in text
    assert "/ip set" in text


@pytest.mark.parametrize("detected", ["203.0.113.24", "::ffff:203.0.113.24"])
def test_a_registered_address_that_dhan_takes_no_orders_from_is_not_called_another_one(detected: str) -> None:
    text = views.addresses(addresses(detected=detected, allowed=False))
    assert f"🔴 Dhan takes no orders from here, although this machine&#x27;s address, {detected}, is registered" in text
    assert "/login" in text


def test_an_account_without_a_registered_address_that_may_send_is_in_no_trouble() -> None:
    assert "🟢 Dhan takes orders from here" in views.addresses(addresses(primary="", allowed=True))


@pytest.mark.parametrize("replaces", ["", "203.0.113.2"])
def test_the_question_names_the_address_the_place_and_the_seven_days(replaces: str) -> None:
    proposal = Proposal(nonce="n", address="198.51.100.9", slot=Slot.SECONDARY, replaces=replaces)
    text = views.address_question(proposal)
    assert "<b>198.51.100.9</b> as the secondary address" in text
    assert "<b>7 days</b>" in text
    assert (f"in place of {replaces}" in text) is bool(replaces)
