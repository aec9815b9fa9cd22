"""Messages with sign-in links: edited once their link is over, each once, whoever sent it."""

from datetime import timedelta

from sqlalchemy import select, update

from core import link_messages, notifications, reminders
from core.db import logins as login_rows
from core.db.tables import outbox
from core.domain.login import LoginRefusal
from core.domain.notice import Notice
from tests.unit.engine.door import BY_LINK, Door
from tests.unit.engine.rows import OPERATOR


def all_is_sent(door: Door) -> None:
    """Each message by the number of its row."""
    with door.database.transaction() as connection:
        owed = outbox.c.due_at.is_not(None)
        connection.execute(update(outbox).where(owed).values(due_at=None, message_id=100 + outbox.c.id))


def edits(door: Door) -> list[int]:
    return [ring["edits"] for ring in door.rings(Notice.SIGNED_IN) if "edits" in ring]


def with_links(door: Door) -> list[int]:
    """The messages that were sent with a link."""
    with door.database.snapshot() as connection:
        rows = connection.execute(select(outbox.c.message_id, outbox.c.payload).where(outbox.c.kind == Notice.SIGN_IN))
        return [row.message_id for row in rows if row.payload["login"]]


def answer_with_a_link(door: Door, message_id: int = 7) -> int:
    """As /login does."""
    login_id, at = door.link(), door.dhan.clock.now()
    with door.database.transaction() as connection:
        link_messages.note(connection, chat_id=OPERATOR, message_id=message_id, login_id=login_id, at=at)
    return login_id


async def sign_in_by_web(door: Door) -> None:
    session = door.session(**BY_LINK)
    door.hand_in(door.dhan.web_token())
    assert await door.mailbox(session).attend()
    assert session.is_signed_in


async def test_after_the_sign_in_each_link_in_the_chat_is_put_away_once(door: Door) -> None:
    await door.session(**BY_LINK).keep()
    answer_with_a_link(door)
    all_is_sent(door)
    await sign_in_by_web(door)
    assert len(with_links(door)) == 2
    assert edits(door) == with_links(door)
    all_is_sent(door)
    with door.database.transaction() as connection:
        reminders.settle(connection, door.dhan.clock.now())
    assert len(edits(door)) == 2


async def test_the_link_that_did_it_is_put_away_though_the_desk_was_signed_in_before(door: Door) -> None:
    used, open_still = answer_with_a_link(door, 7), answer_with_a_link(door, 8)
    at = door.dhan.clock.now()
    with door.database.transaction() as connection:
        login_rows.complete(connection, used, at)
        reminders.tell(connection, at + timedelta(days=1), at)
    assert not door.login(open_still).state.is_final
    assert edits(door) == [7]


async def test_a_link_that_failed_is_put_away_with_the_others(door: Door) -> None:
    failed, at = answer_with_a_link(door), door.dhan.clock.now()
    with door.database.transaction() as connection:
        login_rows.fail(connection, failed, LoginRefusal.WRONG_ACCOUNT, "Another account.", at)
        reminders.settle(connection, at)
    assert edits(door) == [7]


async def test_a_need_without_a_link_and_a_link_long_out_of_sight_stay_as_they_are(door: Door) -> None:
    answer_with_a_link(door)
    door.dhan.clock.pass_time(hours=24 * 4)
    with door.database.transaction() as connection:
        notifications.ring(connection, Notice.SIGN_IN, at=door.dhan.clock.now(), words="Use the website.", login=None)
    all_is_sent(door)
    await sign_in_by_web(door)
    assert edits(door) == []
