"""The day's instrument list: fetched when it is due, and told about when it cannot be used."""

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core import instruments, notifications
from core.broker.dhan.client import DhanClient
from core.broker.dhan.instrument_counts import LEAST_ON_PAPER
from core.broker.dhan.instruments import InstrumentList
from core.db.engine import Database
from core.db.tables import outbox
from core.domain.instrument import Segment
from core.instruments import InstrumentKeeper, rest_after
from tests.builders import fresh_database
from tests.integration.paper_dhan import RELIANCE, PaperDhan, india

BAD = {"kind": "status", "status": 200, "body": "<html>Maintenance</html>"}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = fresh_database(tmp_path)
    with database.transaction() as connection:
        notifications.enrol(connection, [(42, "admin")])
    yield database
    database.close()


@pytest.fixture
def listed(tmp_path: Path) -> Iterator[InstrumentList]:
    with closing(new_list(tmp_path)) as listed:
        yield listed


def new_list(folder: Path) -> InstrumentList:
    return InstrumentList(folder / "instruments.db", least=LEAST_ON_PAPER)


@pytest.fixture
def keeper(
    database: Database, dhan: PaperDhan, client: DhanClient, listed: InstrumentList, tmp_path: Path
) -> InstrumentKeeper:
    return keeper_of(database, dhan, client, listed, tmp_path)


def keeper_of(
    database: Database, dhan: PaperDhan, client: DhanClient, listed: InstrumentList, tmp_path: Path
) -> InstrumentKeeper:
    """As after a start."""
    return InstrumentKeeper(
        database=database,
        client=client,
        listed=listed,
        url=f"{dhan.http.base_url}/dhan/api-data/api-scrip-master-detailed.csv",
        scratch=tmp_path / "instruments.csv",
        clock=dhan.clock,
    )


def told(database: Database) -> list[str]:
    with database.snapshot() as connection:
        return [payload["words"] for payload in connection.execute(select(outbox.c.payload)).scalars()]


def fetched(dhan: PaperDhan) -> bool:
    """Whether the list was asked for since the last look: the fault that waited for it is gone."""
    gone = dhan.http.get("/dhan/sandbox/faults").json() == []
    dhan.http.delete("/dhan/sandbox/faults")
    return gone


async def test_the_list_is_fetched_once_a_day_from_eight_in_the_morning(
    keeper: InstrumentKeeper, dhan: PaperDhan
) -> None:
    await keeper.refresh_when_old()
    assert keeper.is_there
    for at, due in (("2026-11-25 15:00", False), ("2026-11-26 07:59", False), ("2026-11-26 08:00", True)):
        dhan.clock.instant = india(at)
        dhan.script("instruments", "delay", seconds=0)
        await keeper.refresh_when_old()
        assert fetched(dhan) is due, at


async def test_what_is_listed_is_of_the_day_that_was_last_fetched_well(
    keeper: InstrumentKeeper, listed: InstrumentList, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "AT_LEISURE", 0.0)
    days: list[date | None] = []
    for at in ("2026-11-26 07:00", "2026-11-26 09:00", "2026-11-26 09:30"):
        dhan.clock.instant = india(at)
        await keeper.refresh_when_old()
        days.append(listed.named(Segment.NSE_EQ, RELIANCE).listed_on)
        if len(days) == 1:
            dhan.script("instruments", **BAD)
    assert days == [date(2026, 11, 25), date(2026, 11, 25), date(2026, 11, 26)]


async def test_a_bad_list_keeps_the_old_one_and_is_told_once(
    keeper: InstrumentKeeper, dhan: PaperDhan, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "AT_LEISURE", 0.0)
    await keeper.refresh_when_old()
    dhan.clock.instant = india("2026-11-26 09:00")
    dhan.script("instruments", times=2, **BAD)
    for _ in range(2):
        await keeper.refresh_when_old()
    [words] = told(database)
    assert "lacks the columns" in words
    assert "The one of 2026-11-25 stays in use" in words
    assert keeper.is_there
    await keeper.refresh_when_old()
    dhan.script("instruments", "delay", seconds=0)
    await keeper.refresh_when_old()
    assert not fetched(dhan), "the good one is kept for the day"


async def test_a_list_that_was_refused_does_not_delay_that_of_the_next_day(
    keeper: InstrumentKeeper, listed: InstrumentList, dhan: PaperDhan
) -> None:
    await keeper.refresh_when_old()
    dhan.clock.instant = india("2026-11-26 09:00")
    dhan.script("instruments", **BAD)
    for at in ("2026-11-26 09:00", "2026-11-27 07:59", "2026-11-27 08:00"):
        dhan.clock.instant = india(at)
        await keeper.refresh_when_old()
    assert listed.named(Segment.NSE_EQ, RELIANCE).listed_on == date(2026, 11, 27)


OUTAGES: list[dict[str, Any]] = [{"kind": "drop_before"}, {"kind": "status", "status": 503, "body": "Busy"}]
REFUSALS: list[dict[str, Any]] = [BAD, *({"kind": "status", "status": status, "body": "No"} for status in (302, 403))]


@pytest.mark.parametrize(
    ("fault", "is_soon"), [*((fault, True) for fault in OUTAGES), *((fault, False) for fault in REFUSALS)]
)
async def test_beside_a_good_list_an_outage_is_tried_again_soon_and_a_refusal_at_leisure(
    keeper: InstrumentKeeper, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any], is_soon: bool
) -> None:
    monkeypatch.setattr(instruments, "SOON_AT_MOST", 0.0)
    await keeper.refresh_when_old()
    dhan.clock.instant = india("2026-11-26 09:00")
    dhan.script("instruments", **fault)
    await keeper.refresh_when_old()
    dhan.script("instruments", "delay", seconds=0)
    await keeper.refresh_when_old()
    assert fetched(dhan) is is_soon


async def test_an_outage_before_it_does_not_lengthen_the_rest_after_a_refusal(
    keeper: InstrumentKeeper, dhan: PaperDhan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "SOON_AT_MOST", 0.0)
    await keeper.refresh_when_old()
    dhan.clock.instant = india("2026-11-26 09:00")
    dhan.script("instruments", "drop_before", times=5)
    for _ in range(5):
        await keeper.refresh_when_old()
    dhan.script("instruments", **BAD)
    await keeper.refresh_when_old()
    assert keeper._failures == 1


def test_beside_a_good_list_each_try_that_fails_doubles_the_rest() -> None:
    assert [rest_after(failures, is_urgent=False) / 60 for failures in range(1, 7)] == [10, 20, 40, 80, 160, 240]


def test_without_any_list_it_rests_a_minute_at_most() -> None:
    assert [rest_after(failures, is_urgent=True) for failures in (1, 2, 5, 6)] == [2, 4, 32, 60]


@pytest.mark.parametrize("is_urgent", [True, False])
def test_it_rests_however_often_it_failed(is_urgent: bool) -> None:
    assert rest_after(5_000, is_urgent=is_urgent) == rest_after(20, is_urgent=is_urgent)


async def test_without_any_list_it_is_tried_again_soon_and_not_at_once(
    keeper: InstrumentKeeper, dhan: PaperDhan, database: Database
) -> None:
    dhan.script("instruments", "drop_before")
    await keeper.refresh_when_old()
    await keeper.refresh_when_old()
    assert not keeper.is_there
    assert "alerts wait" in told(database)[0]


async def test_a_disk_that_cannot_take_the_list_is_told_and_ends_nothing(
    keeper: InstrumentKeeper, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "instruments.new").mkdir()  # nothing can be written there
    await keeper.refresh_when_old()
    assert not keeper.is_there
    assert "cannot be used" in told(database)[0]


async def test_a_damaged_list_is_told_and_fetched_at_once(
    keeper: InstrumentKeeper, dhan: PaperDhan, database: Database, client: DhanClient, tmp_path: Path
) -> None:
    await keeper.refresh_when_old()
    (tmp_path / "instruments.db").write_bytes(b"")
    after_a_start = keeper_of(database, dhan, client, new_list(tmp_path), tmp_path)
    await after_a_start.refresh_when_old()
    assert after_a_start.is_there
    [words] = told(database)
    assert "instrument list is damaged" in words
    assert "alerts wait" in words


async def test_a_list_that_is_damaged_while_the_next_one_rests_is_fetched_at_once(
    keeper: InstrumentKeeper, dhan: PaperDhan, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instruments, "SOON_AT_MOST", 0.0)
    await keeper.refresh_when_old()
    dhan.clock.instant = india("2026-11-26 09:00")
    dhan.script("instruments", **BAD)
    await keeper.refresh_when_old()
    (tmp_path / "instruments.db").unlink()
    await keeper.refresh_when_old()
    assert keeper.is_there
    assert len(told(database)) == 1
