"""A second desk waits for the lease of the first, whatever happens meanwhile."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from core import controls
from core.controls import Hold
from core.db import leases
from core.db.engine import Database
from core.domain.attempt import AttemptState
from core.domain.order import OrderState
from core.engine.parts import Parts, build_desk
from core.settings import Settings, load
from tests.builders import NOON, address_of, an_order, fresh_address, until
from tests.unit.engine.rows import again, an_attempt


def a_desk(settings: Settings) -> Parts:
    return build_desk(settings, cast("Any", None))  # which tells nobody anything yet


async def test_whoever_has_the_lease_is_held_back_from_that_moment_and_whoever_stands_by_holds_nothing(
    tmp_path: Path,
) -> None:
    fresh_address(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    acting, other = a_desk(settings), a_desk(settings)
    await acting.desk.take_lease()
    assert list(await acting.database.read(controls.holds)) == [Hold.STARTING]
    await acting.database.write(lambda c: controls.lift_hold(c, Hold.STARTING, at=NOON, actor="test"))
    assert await other.desk._try_lease(1) is None
    assert await acting.database.read(controls.holds) == {}
    for parts in (acting, other):
        await parts.close()


async def test_a_database_that_is_away_for_a_while_ends_no_waiting(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    acting, other = a_desk(settings), a_desk(settings)
    await acting.desk.take_lease()
    with closing(Database(settings.database)) as database, capture_logs() as lines:
        standing_by = asyncio.create_task(other.desk.take_lease())
        await until(lambda: any(line["event"] == "standing_by" for line in lines))
        rename(database, "leases", "hidden")
        await until(lambda: any(line["event"] == "still_standing_by" for line in lines))
        rename(database, "hidden", "leases")
        with database.transaction() as connection:
            leases.release(connection, epoch=1, at=NOON)
        await asyncio.wait_for(standing_by, 30)
    for parts in (acting, other):
        await parts.close()


@pytest.mark.sqlite("the bug is a trigger in its words")
async def test_a_bug_over_the_briefing_keeps_no_desk_from_starting(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    before, after = a_desk(settings), a_desk(settings)
    await before.desk.take_lease()
    with closing(Database(settings.database)) as database, database.transaction() as connection:
        order = an_order(connection, state=OrderState.SUBMITTING)
        an_attempt(connection, order, AttemptState.OPEN)
        leases.release(connection, epoch=1, at=NOON)
        connection.execute(
            text(
                "CREATE TRIGGER a_bug BEFORE INSERT ON settings WHEN NEW.key = 'briefing' "
                "BEGIN SELECT RAISE(ABORT, 'a bug of ours'); END"
            )
        )
    await after.desk.take_lease()
    with capture_logs() as lines:
        await after.database.write(after.desk._recover)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["briefing_not_begun"]
    assert (await after.database.read(lambda c: again(c, order))).state is OrderState.UNKNOWN
    for parts in (before, after):
        await parts.close()


def rename(database: Database, before: str, after: str) -> None:
    with closing(Database(address_of(database))) as other, other.transaction() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")
