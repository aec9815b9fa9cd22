"""A sign-in that a daily job asks for: as the desk does by itself, no more often, and without a PIN's last try."""

from core.db import logins as login_rows
from core.domain.login import LoginState, Way
from tests.unit.engine.door import BY_LINK, Door


def ask(door: Door) -> int:
    with door.database.transaction() as connection:
        return login_rows.ask(connection, by="web", at=door.dhan.clock.now())


async def test_the_desk_signs_in_and_says_so(door: Door) -> None:
    session = door.session()
    asked = ask(door)
    assert await door.mailbox(session).attend()
    assert session.is_signed_in
    assert door.login(asked).state is LoginState.COMPLETED
    assert door.tries() == [LoginState.COMPLETED]


async def test_a_young_sign_in_is_good_enough(door: Door) -> None:
    session = door.session()
    assert await session.keep()
    token = session.token()
    door.dhan.clock.pass_time(hours=1)
    asked = ask(door)
    assert not await door.mailbox(session).attend()
    assert door.login(asked).state is LoginState.COMPLETED
    assert session.token() == token


async def test_an_older_one_is_replaced_before_it_ends(door: Door) -> None:
    session = door.session()
    assert await session.keep()
    token = session.token()
    door.dhan.clock.pass_time(hours=3)
    ask(door)
    assert await door.mailbox(session).attend()
    assert session.token() != token


async def test_where_a_person_is_needed_it_fails_with_what_to_do(door: Door) -> None:
    session = door.session(**BY_LINK)
    asked = ask(door)
    assert not await door.mailbox(session).attend()
    failed = door.login(asked)
    assert failed.state is LoginState.FAILED
    assert "sign-in link" in failed.words
    assert door.tries() == []


async def test_a_sign_in_that_ends_soon_and_stays_is_no_success(door: Door) -> None:
    session = door.session(**BY_LINK)
    mailbox = door.mailbox(session)
    door.hand_in(door.dhan.web_token())
    assert await mailbox.attend()
    door.dhan.script("login", "status", status=400, body={"errorCode": "DH-905", "errorMessage": "Cannot be renewed"})
    door.dhan.clock.pass_time(hours=23, minutes=50)
    token = session.token()
    for words in ("signing in failed: Cannot be renewed.", "open the sign-in link in the chat"):
        asked = ask(door)
        assert not await mailbox.attend()
        assert session.token() == token
        failed = door.login(asked)
        assert failed.state is LoginState.FAILED
        assert failed.words.startswith("No new sign-in, and the one in force ends Thu 26 Nov 12:00: ")
        assert words in failed.words
    assert door.hold() is None


async def test_a_question_that_no_desk_saw_in_time_is_not_acted_on_later(door: Door) -> None:
    session = door.session()
    asked = ask(door)
    door.dhan.clock.pass_time(hours=1)
    await door.mailbox(session).attend()
    assert door.login(asked).state is LoginState.REQUESTED
    assert door.tries(Way.TOTP) == []


async def test_two_questions_at_once_make_one_sign_in(door: Door) -> None:
    session = door.session()
    both = [ask(door), ask(door)]
    assert await door.mailbox(session).attend()
    assert [door.login(asked).state for asked in both] == [LoginState.COMPLETED] * 2
    assert door.tries() == [LoginState.COMPLETED]
