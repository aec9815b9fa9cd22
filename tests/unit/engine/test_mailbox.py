"""Sign-ins that a person begins: one consent per tap, one token per sign-in, and never another account's."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from core import controls
from core.controls import Hold
from core.domain.login import LoginRefusal, LoginState, Way
from core.domain.notice import Notice
from core.domain.order import OrderState
from core.domain.sessions import spoken
from core.logins import Session
from core.mailbox import Mailbox
from core.sandbox.dhan.login import OTHER_ACCOUNT
from core.settings import PaperAccount
from tests.unit.engine.door import BY_LINK, Door
from tests.unit.engine.rows import an_order


@pytest.fixture
def session(door: Door) -> Session:
    return door.session(**BY_LINK)


@pytest.fixture
def mailbox(door: Door, session: Session) -> Mailbox:
    return door.mailbox(session)


async def at_dhans_page(door: Door, mailbox: Mailbox) -> tuple[int, str]:
    """A link that was opened: its id, and the consent that Dhan made for it."""
    login_id = door.link()
    assert door.tap(login_id)
    await mailbox.attend()
    consent_id = door.login(login_id).consent_id
    assert consent_id
    return login_id, consent_id


def consents_made(door: Door) -> int:
    return sum(door.login(number).asked_at is not None for number in range(1, len(door.tries(Way.LINK)) + 1))


async def test_a_tap_and_a_sign_in_at_dhan_sign_the_desk_in(door: Door, session: Session, mailbox: Mailbox) -> None:
    assert not await session.keep()
    login_id, consent_id = await at_dhans_page(door, mailbox)
    assert door.login(login_id).state is LoginState.PENDING
    assert door.come_back(login_id, door.dhan.granted(consent_id))
    assert await mailbox.attend()
    assert session.is_signed_in
    assert door.login(login_id).state is LoginState.COMPLETED
    assert door.hold() is None
    assert await door.session(**BY_LINK).keep()


async def test_a_sign_in_by_a_link_is_told_once_with_its_end_and_what_goes_on(
    door: Door, session: Session, mailbox: Mailbox
) -> None:
    assert not await session.keep()
    now = door.dhan.clock.now()
    with door.database.transaction() as connection:
        for _ in range(2):
            an_order(connection, state=OrderState.QUEUED, release_at=now)
        an_order(connection, state=OrderState.QUEUED, release_at=now + timedelta(hours=1))
    login_id, consent_id = await at_dhans_page(door, mailbox)
    door.come_back(login_id, door.dhan.granted(consent_id))
    assert await mailbox.attend()
    await mailbox.attend()
    await session.keep()
    await door.session(**BY_LINK).keep()
    until = spoken(now + timedelta(hours=24))
    assert door.rings(Notice.SIGNED_IN) == [{"words": f"Until {until}. 2 orders that waited go on, or ask if too old."}]


async def test_a_sign_in_under_another_hold_says_that_orders_still_wait(
    door: Door, session: Session, mailbox: Mailbox
) -> None:
    assert not await session.keep()
    now = door.dhan.clock.now()
    with door.database.transaction() as connection:
        an_order(connection, state=OrderState.QUEUED, release_at=now)
        controls.pause(connection, at=now, actor="operator 42")
    login_id, consent_id = await at_dhans_page(door, mailbox)
    door.come_back(login_id, door.dhan.granted(consent_id))
    assert await mailbox.attend()
    [told] = door.rings(Notice.SIGNED_IN)
    with door.database.snapshot() as connection:
        paused = controls.holds(connection)[Hold.PAUSED]
    assert told["words"].endswith(f". 1 order still waits: {paused}")


async def test_a_token_that_is_handed_in_at_the_command_line_is_not_told_in_the_chat(
    door: Door, mailbox: Mailbox
) -> None:
    door.hand_in(door.dhan.web_token())
    assert await mailbox.attend()
    assert door.rings(Notice.SIGNED_IN) == []


async def test_a_link_that_nobody_opens_costs_no_consent(door: Door, mailbox: Mailbox) -> None:
    login_id = door.link()
    await mailbox.attend()
    assert (door.login(login_id).state, door.login(login_id).asked_at) == (LoginState.OFFERED, None)


async def test_opening_a_link_again_costs_no_second_consent(door: Door, mailbox: Mailbox) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    door.dhan.clock.pass_time(minutes=30)
    assert door.tap(login_id)
    await mailbox.attend()
    assert door.login(login_id).consent_id == consent_id
    assert door.come_back(login_id, door.dhan.granted(consent_id))


async def test_a_sign_in_that_took_more_than_ten_minutes_does_not_count(door: Door, mailbox: Mailbox) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    token_id = door.dhan.granted(consent_id)
    door.dhan.clock.pass_time(minutes=10)
    assert not door.come_back(login_id, token_id)
    assert not await mailbox.attend()


async def test_a_link_may_be_opened_for_twelve_hours(door: Door) -> None:
    login_id = door.link()
    door.dhan.clock.pass_time(hours=11, minutes=59)
    assert door.tap(login_id)
    door.dhan.clock.pass_time(minutes=1)
    assert not door.tap(login_id)


async def test_a_callback_that_comes_again_changes_nothing(door: Door, session: Session, mailbox: Mailbox) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    token_id = door.dhan.granted(consent_id)
    assert door.come_back(login_id, token_id)
    assert not door.come_back(login_id, token_id)
    assert await mailbox.attend()
    token = session.token()
    assert not door.come_back(login_id, token_id)
    assert not await mailbox.attend()
    assert session.token() == token


async def test_an_attackers_token_id_gets_nothing_in(door: Door, session: Session, mailbox: Mailbox) -> None:
    login_id, _ = await at_dhans_page(door, mailbox)
    assert door.come_back(login_id, "3f0c6a52-7d1e-4b0e-9a77-0c1d2e3f4a5b")
    assert not await mailbox.attend()
    assert not session.is_signed_in
    assert not door.has_token()
    assert door.login(login_id).state is LoginState.FAILED


async def test_another_accounts_token_is_thrown_away_with_an_alarm(
    door: Door, session: Session, mailbox: Mailbox
) -> None:
    door.hand_in(door.dhan.web_token())
    await mailbox.attend()
    mine = session.token()
    login_id, consent_id = await at_dhans_page(door, mailbox)
    assert door.come_back(login_id, door.dhan.granted(consent_id, OTHER_ACCOUNT))
    assert not await mailbox.attend()
    assert session.token() == mine
    assert door.login(login_id).refusal is LoginRefusal.WRONG_ACCOUNT
    assert "another Dhan account" in door.rings()[-1]["words"]
    assert await door.session(**BY_LINK).keep()


async def test_two_logins_at_once_leave_one_good_token(door: Door, session: Session, mailbox: Mailbox) -> None:
    opened = [await at_dhans_page(door, mailbox) for _ in range(2)]
    for login_id, consent_id in opened:
        assert door.come_back(login_id, door.dhan.granted(consent_id))
    await asyncio.gather(mailbox.attend(), session.keep())
    assert session.is_signed_in
    door.dhan.http.headers["access-token"] = session.token()
    assert door.dhan.http.get("/dhan/v2/profile").status_code == 200


async def test_whoever_signs_in_first_ends_the_other_links(door: Door, mailbox: Mailbox) -> None:
    first, consent_id = await at_dhans_page(door, mailbox)
    second, other_consent = await at_dhans_page(door, mailbox)
    assert door.come_back(first, door.dhan.granted(consent_id))
    await mailbox.attend()
    assert door.login(second).state is LoginState.EXPIRED
    assert not door.come_back(second, door.dhan.granted(other_consent))
    assert not door.tap(second)


async def test_an_exchange_whose_answer_got_lost_is_told_and_a_new_link_offered(
    door: Door, session: Session, mailbox: Mailbox
) -> None:
    await session.keep()
    [asked] = door.rings()
    door.tap(asked["login"])
    await mailbox.attend()
    token_id = door.dhan.granted(door.login(asked["login"]).consent_id or "")
    door.come_back(asked["login"], token_id)
    door.dhan.script("consume", "drop_after")
    assert not await mailbox.attend()
    assert door.login(asked["login"]).refusal is LoginRefusal.NO_REPLY
    assert token_id not in door.login(asked["login"]).words
    assert [ring["login"] for ring in door.rings()] != [asked["login"]]
    assert len(door.rings()) == 2


async def test_the_desk_stops_before_dhans_limit_and_says_when_it_goes_on(door: Door, mailbox: Mailbox) -> None:
    for _ in range(24):
        await at_dhans_page(door, mailbox)
        door.dhan.clock.pass_time(minutes=1)
    one_too_many = door.link()
    door.tap(one_too_many)
    await mailbox.attend()
    refused = door.login(one_too_many)
    assert (refused.refusal, refused.asked_at) == (LoginRefusal.CONSENT_LIMIT, None)
    assert "24 of Dhan's 25" in refused.words
    assert "free at 12:00" in refused.words
    door.dhan.clock.pass_time(hours=24)
    await at_dhans_page(door, mailbox)


async def test_dhans_own_limit_is_explained(door: Door, mailbox: Mailbox) -> None:
    body = {"status": "error", "errorCode": "CONSENT_LIMIT_EXCEED", "errorMessage": "Limit"}
    door.dhan.script("consent", "status", status=200, body=body)
    login_id = door.link()
    door.tap(login_id)
    await mailbox.attend()
    assert door.login(login_id).refusal is LoginRefusal.CONSENT_LIMIT
    assert "25 sign-in links in a day" in door.login(login_id).words
    assert "munshi token" in door.login(login_id).words


async def test_a_desk_that_died_while_it_asked_for_a_consent_does_not_ask_twice(door: Door, mailbox: Mailbox) -> None:
    login_id = door.link()
    door.tap(login_id)
    door.dhan.script("consent", "drop_after")
    await mailbox.attend()
    assert door.login(login_id).refusal is LoginRefusal.NO_REPLY
    assert consents_made(door) == 1


async def test_a_token_of_the_website_signs_in(door: Door, session: Session, mailbox: Mailbox) -> None:
    made = door.dhan.web_token()
    login_id = door.hand_in(made)
    assert await mailbox.attend()
    assert session.token() == made
    assert door.login(login_id).state is LoginState.COMPLETED


async def test_a_dead_token_of_the_website_is_refused(door: Door, session: Session, mailbox: Mailbox) -> None:
    made = door.dhan.web_token()
    door.dhan.end_token()
    login_id = door.hand_in(made)
    assert not await mailbox.attend()
    assert not session.is_signed_in
    assert "invalid or expired" in door.login(login_id).words


@pytest.mark.parametrize(
    "fault", [{"kind": "drop_after"}, {"kind": "status", "status": 503, "body": {"errorCode": "x"}}]
)
async def test_a_token_of_the_website_waits_until_dhan_can_say_whose_it_is(
    door: Door, session: Session, mailbox: Mailbox, fault: dict[str, Any]
) -> None:
    door.dhan.script("profile", **fault)
    login_id = door.hand_in(door.dhan.web_token())
    assert not await mailbox.attend()
    assert door.login(login_id).state is LoginState.RECEIVED
    assert await mailbox.attend()
    assert session.is_signed_in


async def test_a_token_of_the_website_is_given_up_when_it_must_have_ended(door: Door, mailbox: Mailbox) -> None:
    door.dhan.script("profile", "status", status=503, body="<html>", times=99)
    login_id = door.hand_in(door.dhan.web_token())
    for _ in range(24):
        assert not await mailbox.attend()
        assert door.login(login_id).state is LoginState.RECEIVED
        door.dhan.clock.pass_time(hours=1)
    door.dhan.clock.pass_time(minutes=1)
    assert not await mailbox.attend()
    given_up = door.login(login_id)
    assert given_up.state is LoginState.FAILED
    assert "hand in another with `munshi token`" in given_up.words


async def test_while_dhan_cannot_be_reached_what_was_handed_in_waits(door: Door) -> None:
    nowhere = {**BY_LINK, "dhan_auth_url": "http://127.0.0.1:9/dhan-login"}
    session = door.session(**BY_LINK)
    login_id, consent_id = await at_dhans_page(door, door.mailbox(session))
    assert door.come_back(login_id, door.dhan.granted(consent_id))
    assert not await door.mailbox(session, **nowhere).attend()
    assert door.login(login_id).state is LoginState.RECEIVED
    assert await door.mailbox(session).attend()


async def test_a_tap_while_dhan_cannot_be_reached_costs_no_consent(door: Door, session: Session) -> None:
    nowhere = {**BY_LINK, "dhan_auth_url": "http://127.0.0.1:9/dhan-login"}
    login_id = door.link()
    door.tap(login_id)
    await door.mailbox(session, **nowhere).attend()
    assert (door.login(login_id).state, door.login(login_id).asked_at) == (LoginState.REQUESTED, None)
    await door.mailbox(session).attend()
    assert door.login(login_id).state is LoginState.PENDING


async def test_with_other_keys_a_sign_in_fails_in_words(door: Door, session: Session, mailbox: Mailbox) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    door.come_back(login_id, door.dhan.granted(consent_id))
    other = SecretStr(Fernet.generate_key().decode())
    assert not await door.mailbox(session, **BY_LINK, token_keys=other).attend()
    assert "TOKEN_KEYS" in door.login(login_id).words


@pytest.mark.sqlite("its file is read as it lies on the disk")
async def test_no_secret_of_a_sign_in_is_on_the_disk_in_plain_text(
    door: Door, session: Session, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    token_id = door.dhan.granted(consent_id)
    door.come_back(login_id, token_id)
    between = door.dump()
    await mailbox.attend()
    assert b"operator 42" in between
    told = between + door.dump() + "".join(capsys.readouterr()).encode()
    for secret in (token_id, session.token(), PaperAccount.API_SECRET, PaperAccount.PIN, PaperAccount.TOTP_SECRET):
        assert secret.encode() not in told
    assert door.login(login_id).sealed is None


async def test_a_token_id_that_lay_for_too_long_is_given_up(door: Door, session: Session, mailbox: Mailbox) -> None:
    login_id, consent_id = await at_dhans_page(door, mailbox)
    door.come_back(login_id, door.dhan.granted(consent_id))
    door.dhan.clock.instant += timedelta(minutes=21)
    assert not await mailbox.attend()
    assert not session.is_signed_in
    assert door.login(login_id).state is LoginState.FAILED


async def test_a_tap_that_no_desk_saw_in_time_costs_no_consent_until_the_next_tap(door: Door, mailbox: Mailbox) -> None:
    login_id = door.link()
    door.tap(login_id)
    door.dhan.clock.pass_time(hours=1)
    await mailbox.attend()
    assert door.login(login_id).asked_at is None
    assert door.tap(login_id)
    await mailbox.attend()
    assert door.login(login_id).state is LoginState.PENDING
