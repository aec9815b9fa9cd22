"""The clock that paper mode may move, and that every process of a desk shares."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.clock import INDIA, PaperClock, SystemClock, to_india
from tests.builders import until

OPENING = datetime(2026, 12, 1, 9, 15, tzinfo=INDIA)
SOON = timedelta(seconds=30)


@pytest.fixture
def clock(tmp_path: Path) -> PaperClock:
    return PaperClock(tmp_path / "clock.json")


def test_a_clock_that_nobody_moved_is_the_machines(clock: PaperClock) -> None:
    before = SystemClock().now()
    assert before <= clock.now() <= SystemClock().now()


def test_a_clock_that_was_moved_runs_on_from_there(clock: PaperClock) -> None:
    clock.jump_to(OPENING)
    first = clock.now()
    assert OPENING - timedelta(milliseconds=1) <= first < OPENING + SOON
    assert clock.now() >= first
    assert first.tzinfo is UTC


def test_a_clock_moves_back_as_well(clock: PaperClock) -> None:
    clock.jump_to(OPENING)
    clock.jump_to(OPENING - timedelta(days=400))
    assert clock.now() < OPENING - timedelta(days=399)


async def test_every_process_follows_a_move_within_a_moment(clock: PaperClock) -> None:
    other = PaperClock(clock.file)
    assert other.now() - SystemClock().now() < SOON
    for instant in (OPENING, OPENING + timedelta(hours=6), OPENING - timedelta(days=1)):
        clock.jump_to(instant)
        await until(lambda instant=instant: abs(other.now() - instant) < SOON)
        assert abs(PaperClock(clock.file).now() - instant) < SOON  # one that starts later


def test_whoever_moved_the_clock_sees_it_at_once(clock: PaperClock) -> None:
    for day in range(5):
        clock.jump_to(OPENING + timedelta(days=day))
        assert abs(clock.now() - OPENING - timedelta(days=day)) < SOON


def test_an_instant_without_a_zone_moves_nothing(clock: PaperClock) -> None:
    with pytest.raises(ValueError, match="time zone"):
        clock.jump_to(datetime(2026, 12, 1, 9, 15))  # noqa: DTZ001 - that is the mistake
    assert abs(clock.now() - SystemClock().now()) < SOON
    assert not clock.file.exists()


def test_a_move_leaves_one_file(clock: PaperClock) -> None:
    clock.jump_to(OPENING)
    assert [file.name for file in clock.file.parent.iterdir()] == ["clock.json"]


def test_india_is_five_and_a_half_hours_ahead() -> None:
    assert to_india(datetime(2026, 11, 25, 3, 45, tzinfo=UTC)).isoformat() == "2026-11-25T09:15:00+05:30"
