"""A link that the desk sends by itself counts Dhan's consents as /login does; none is sent when they are used up."""

from datetime import timedelta

import pytest

from core import reminders
from core.db import logins as login_rows
from tests.unit.engine.door import BY_LINK, Door


def use_up(door: Door, consents: int) -> None:
    with door.database.transaction() as connection:
        for _ in range(consents):
            login = login_rows.get(connection, door.link_in(connection))
            assert login
            assert login_rows.asking(connection, login, door.dhan.clock.now() - timedelta(hours=2))


@pytest.mark.parametrize(("used", "said"), [(19, False), (20, True), (23, True)])
async def test_the_last_links_of_a_day_are_counted_aloud_in_prompts_and_warnings(
    door: Door, used: int, said: bool
) -> None:
    use_up(door, used)
    await door.session(**BY_LINK).keep()
    with door.database.transaction() as connection:
        reminders.warn(connection, door.settings(**BY_LINK), "It ends soon.", "today", at=door.dhan.clock.now())
    prompt, warning = door.rings()
    assert prompt["login"]
    assert warning["login"]
    count = f" {used} of Dhan's 25 sign-in links of a day are used."
    assert prompt["words"].endswith(count) is said
    assert (warning["words"] == f"It ends soon.{count}") is said


async def test_when_the_links_of_a_day_are_used_up_none_is_sent_and_the_way_out_is_named(door: Door) -> None:
    use_up(door, 24)
    for _ in range(3):
        await door.session(**BY_LINK).keep()
    with door.database.transaction() as connection:
        reminders.warn(connection, door.settings(**BY_LINK), "It ends soon.", "today", at=door.dhan.clock.now())
    prompt, warning = door.rings()
    assert (prompt["login"], warning["login"]) == (None, None)
    why = (
        " 24 of Dhan's 25 sign-in links of a day are used, and the desk stops there: the next is free at 10:00. Until "
        "then hand in a token from web.dhan.co with `munshi token` on the desk's machine."
    )
    assert prompt["words"].endswith(why)
    assert warning["words"] == f"It ends soon.{why}"
