"""The schema: migrations in both directions, and the rules that the database itself keeps."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, inspect, select, update
from sqlalchemy.exc import IntegrityError

from core import controls, journal
from core.bootstrap import open_database
from core.controls import KILL_SWITCH_IS_ON, Hold
from core.db import tables
from core.db.engine import Database
from core.db.migration import SCRIPTS, config, migrate
from core.db.schema import NEWEST, WrongSchema
from core.db.tables import events, order_moves, orders
from core.domain.order import MOVES, OrderState
from core.settings import load
from tests.builders import NOON, address_of, an_alert, an_order, database_file, empty_address, fresh_address

REVISIONS = [script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions("base", "head")][::-1]

ROWS_ALONE = {"0012"}
"""What changes rows, and no table."""

SCHEMA = {
    "sqlite": "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL",
    "postgresql": """
        SELECT table_name, concat_ws(' ', column_name, data_type, is_nullable, column_default, is_identity)
          FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
        UNION ALL
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        UNION ALL
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> to_regclass('alembic_version')
        UNION ALL
        SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace""",
}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """One that no migration has seen."""
    database = Database(empty_address(tmp_path))
    yield database
    database.close()


def schema(database: Database) -> set[tuple[str, str]]:
    """Everything that stands there, the moves with it, but Alembic's own note of where it is."""
    with database.snapshot() as connection:
        rows = connection.exec_driver_sql(SCHEMA[connection.dialect.name])
        found = {(name, sql) for name, sql in rows if name not in ("alembic_version", "sqlite_sequence")}
        has_moves = inspect(connection).has_table(order_moves.name)
        moves = connection.execute(select(order_moves.c.before, order_moves.c.after)) if has_moves else ()
        return found | {(before, after) for before, after in moves}


def alembic_of(database: Database) -> Config:
    return config(address_of(database))


@pytest.mark.parametrize(("before", "revision"), list(zip(["base", *REVISIONS], REVISIONS, strict=False)))
def test_a_revision_goes_up_and_down_and_up_to_the_same_schema(empty: Database, before: str, revision: str) -> None:
    command.upgrade(alembic_of(empty), before)
    below = schema(empty)
    command.upgrade(alembic_of(empty), revision)
    above = schema(empty)
    command.downgrade(alembic_of(empty), before)
    assert schema(empty) == below
    command.upgrade(alembic_of(empty), revision)
    assert schema(empty) == above
    assert (above != below) is (revision not in ROWS_ALONE)


def test_an_index_contract_of_before_keeps_its_last_day(database: Database) -> None:
    last_day = date(2026, 12, 29)
    with database.transaction() as connection:
        order = an_order(connection, index_expiry=last_day)
    command.downgrade(alembic_of(database), "0009")
    command.upgrade(alembic_of(database), "0010")
    with database.snapshot() as connection:
        assert connection.execute(select(orders.c.expiry).where(orders.c.id == order.id)).scalar_one() == last_day


def test_everything_that_was_made_goes_away_again(empty: Database) -> None:
    command.upgrade(alembic_of(empty), "head")
    command.downgrade(alembic_of(empty), "base")
    assert schema(empty) == set()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({Hold.NO_ACCESS: KILL_SWITCH_IS_ON}, {Hold.KILL_SWITCH: KILL_SWITCH_IS_ON}),
        ({Hold.NO_ACCESS: "No segment."}, {Hold.NO_ACCESS: "No segment."}),
        (
            dict.fromkeys((Hold.NO_ACCESS, Hold.KILL_SWITCH), KILL_SWITCH_IS_ON),
            {Hold.KILL_SWITCH: KILL_SWITCH_IS_ON},
        ),
    ],
    ids=["the switch's", "another's", "both"],
)
def test_a_hold_of_before_over_dhans_kill_switch_becomes_one_that_ends_with_it(
    database: Database, before: dict[Hold, str], after: dict[Hold, str]
) -> None:
    command.downgrade(alembic_of(database), "0011")
    with database.transaction() as connection:
        for hold, reason in before.items():
            controls.set_hold(connection, hold, reason, at=NOON, actor=journal.DHAN)
    command.upgrade(alembic_of(database), "0012")
    with database.snapshot() as connection:
        assert controls.holds(connection) == after


def test_the_tables_in_the_code_are_the_tables_in_the_file(connection: Connection) -> None:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, tables.metadata) == []


def test_the_moves_in_the_file_are_the_moves_in_the_code(connection: Connection) -> None:
    stored = {(row.before, row.after) for row in connection.execute(select(order_moves))}
    assert stored == {(before.value, after.value) for before, afters in MOVES.items() for after in afters}


@pytest.mark.parametrize("before", OrderState)
def test_no_move_by_hand_gets_past_the_file_unless_the_code_allows_it(
    connection: Connection, before: OrderState
) -> None:
    order = an_order(connection, state=before)
    refused = {after for after in OrderState if not moves_by_hand(connection, order.id, after)}
    assert refused == set(OrderState) - MOVES[before] - {before}


def moves_by_hand(connection: Connection, order_id: int, after: OrderState) -> bool:
    trial = connection.begin_nested()
    try:
        connection.execute(update(orders).where(orders.c.id == order_id).values(state=after))
    except IntegrityError as trouble:
        if "an order cannot move like this" not in str(trouble.orig):
            raise
        return False
    finally:
        trial.rollback()
    return True


def test_an_illegal_move_takes_the_rest_of_its_transaction_with_it(database: Database) -> None:
    with database.transaction() as connection:
        order = an_order(connection, state=OrderState.FILLED)

    def queue_it_again_and_take_an_alert() -> None:
        with database.transaction() as connection:
            an_alert(connection)
            connection.execute(update(orders).where(orders.c.id == order.id).values(state=OrderState.QUEUED))

    with pytest.raises(IntegrityError, match="an order cannot move like this"):
        queue_it_again_and_take_an_alert()
    with database.snapshot() as connection:
        assert connection.execute(select(orders.c.state)).scalar_one() is OrderState.FILLED
        assert connection.execute(select(tables.alerts.c.id)).scalar_one() == order.alert_id


@pytest.mark.parametrize(
    "rewriting", [update(events).values(reason="it was like this"), delete(events)], ids=["update", "delete"]
)
def test_history_is_not_rewritten(connection: Connection, rewriting: object) -> None:
    journal.append(connection, journal.Event(at=NOON, actor=journal.DESK, kind="note"))
    with pytest.raises(IntegrityError, match="events are only ever added"), connection.begin_nested():
        connection.execute(rewriting)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_an_order_cannot_outlive_its_alert(connection: Connection) -> None:
    order = an_order(connection)
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), connection.begin_nested():
        connection.execute(delete(tables.alerts).where(tables.alerts.c.id == order.alert_id))


@pytest.mark.sqlite("its STRICT tables")
def test_every_table_takes_its_declared_types_only(connection: Connection) -> None:
    listed = connection.exec_driver_sql("PRAGMA table_list").mappings()
    strict = {row["name"] for row in listed if row["strict"]}
    assert set(tables.metadata.tables) <= strict
    an_alert(connection)
    with pytest.raises(IntegrityError, match="cannot store TEXT value in INTEGER column"):
        connection.exec_driver_sql("UPDATE alerts SET folded = 'twice'")


@pytest.mark.sqlite("PostgreSQL cannot be made to have such")
def test_the_file_has_no_broken_references(connection: Connection) -> None:
    an_order(connection)
    assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.sqlite("PostgreSQL cannot be made to have such")
def test_migrating_a_file_with_broken_references_fails_aloud(tmp_path: Path) -> None:
    database_file(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    with closing(Database(settings.database)) as database, database.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # pyright: ignore[reportOptionalMemberAccess]
        an_alert(connection)
        connection.exec_driver_sql("UPDATE alerts SET source_id = 999")
        connection.commit()
    with pytest.raises(RuntimeError, match="left rows without their parent"):
        migrate(settings)


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    with closing(open_database(settings)) as database:
        before = schema(database)
        migrate(settings)
        assert schema(database) == before


def test_the_desk_starts_on_the_schema_of_its_version(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    open_database(load(munshi_data_dir=tmp_path)).close()


@pytest.mark.parametrize("written", [None, "9999"], ids=["never migrated", "of a later version"])
def test_the_desk_refuses_another_schema_and_says_what_to_do(tmp_path: Path, written: str | None) -> None:
    (fresh_address if written else empty_address)(tmp_path)
    settings = load(munshi_data_dir=tmp_path)
    if written:
        with closing(Database(settings.database)) as database, database.transaction() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(WrongSchema, match=rf"at schema {written or 'none'}, .*: run `munshi migrate`"):
        open_database(settings)


def test_the_newest_schema_is_the_last_migration() -> None:
    assert REVISIONS[-1] == NEWEST
