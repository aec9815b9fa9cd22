"""What an intake knows of the senders who still wait must survive a commit that failed."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.db.engine import Database
from core.db.tables import alerts
from core.db.trouble import CommitInDoubt
from core.domain.identity import Copy
from core.intake import Arrival, Intake, Receipt, digest
from tests.builders import FrozenClock, break_the_commit


class Door:
    """One body's copies, in one life of the web process."""

    def __init__(self, database: Database, clock: FrozenClock) -> None:
        self._database = database
        self._clock = clock
        self._intake = Intake(database)

    async def deliver(self) -> Receipt:
        body = digest(b"buy")
        return await self._intake.store(Arrival(digest=body, text="buy", source_id=1, received_at=self._clock.now()))

    async def serve(self) -> Receipt:
        receipt = await self.deliver()
        self._intake.close(receipt, self._clock.now())
        return receipt

    async def note_answers(self) -> None:
        await self._intake.flush()

    async def fail_the_commit_of(self, *writes: Awaitable[object]) -> None:
        alone = self._database.write(lambda _: None)  # the first of several does not wait for the others
        spoilt = await asyncio.gather(alone, *writes, self._database.write(break_the_commit), return_exceptions=True)
        assert all(isinstance(outcome, CommitInDoubt) for outcome in spoilt[1:])


@pytest.fixture
def door(database: Database, clock: FrozenClock) -> Door:
    return Door(database, clock)


async def test_an_answer_whose_note_was_undone_is_noted_with_the_next_write(database: Database, door: Door) -> None:
    await door.serve()
    await door.fail_the_commit_of(door.note_answers())
    await door.note_answers()
    assert await database.read(lambda c: c.execute(select(alerts.c.answered_at)).scalar_one()) is not None


async def test_tomorrows_wish_is_not_folded_into_todays_because_a_note_was_undone(
    door: Door, clock: FrozenClock
) -> None:
    await door.serve()
    await door.fail_the_commit_of(door.note_answers())
    clock.advance(timedelta(days=1))
    assert (await door.deliver()).copy is Copy.NEW


async def test_a_resend_whose_commit_failed_is_a_resend_when_it_comes_again(
    database: Database, clock: FrozenClock
) -> None:
    await Door(database, clock).deliver()  # in a process that died before it answered
    door = Door(database, clock)
    await door.fail_the_commit_of(door.deliver())
    assert (await door.deliver()).copy is Copy.RESEND


async def test_a_new_alert_whose_commit_failed_is_new_when_it_comes_again(database: Database, door: Door) -> None:
    other = Arrival(digest=digest(b"sell"), text="sell", source_id=1, received_at=FrozenClock().now())
    await Intake(database).store(other)
    await door.fail_the_commit_of(door.deliver())
    assert (await door.deliver()).copy is Copy.NEW
