"""Pacing: never more calls than allowed in any rolling window, first come, first served."""

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from itertools import pairwise
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from core import clock
from core.db import attempts
from core.domain.attempt import AttemptState
from core.engine.limiter import LEFT_LATER, ORDER_CALLS, Limiter, Window
from core.engine.parts import build_desk
from core.settings import load
from tests.builders import an_order, fresh_address
from tests.unit.engine.rows import WALL, an_attempt


class LeapingTime(selectors.SelectSelector):
    """An event loop's clock that leaps over every wait, so that a day of pacing takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.instant = 0.0

    def monotonic(self) -> float:
        return self.instant

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select()
        self.instant += max(timeout, 1e-6)
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self, time: LeapingTime) -> None:
        self._leaping = time
        super().__init__(time)

    def time(self) -> float:
        return self._leaping.instant


class Day:
    """Runs one scene after the other in leaping time."""

    def __init__(self, time: LeapingTime) -> None:
        self.time = time
        self._runner = asyncio.Runner(loop_factory=lambda: LeapingLoop(time))

    def run(self, scene: Coroutine[Any, Any, list[float]]) -> list[float]:
        return self._runner.run(scene)

    def close(self) -> None:
        self._runner.close()

    async def call(self, limiter: Limiter, times: int, takes: float = 0) -> list[float]:
        """When each of so many calls went through, all of them waiting from the start; each takes so many seconds."""
        made: list[float] = []

        async def call() -> None:
            await limiter.wait_for_room()
            made.append(self.time.instant)
            await asyncio.sleep(takes)
            limiter.answered()

        await asyncio.gather(*(call() for _ in range(times)))
        return made


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Iterator[Day]:
    time = LeapingTime()
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=time.monotonic))
    day = Day(time)
    yield day
    day.close()


def remembering(windows: list[Window], ages: list[float]) -> Limiter:
    limiter = Limiter(windows)
    limiter.remember(ages)
    return limiter


def most_within(times: list[float], seconds: float) -> int:
    return max(sum(start <= time < start + seconds for time in times) for start in times)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1, 5, 60, 3600])), min_size=1, max_size=3),
    st.lists(st.floats(0, 4000), max_size=8),
)
def test_no_rolling_window_ever_holds_more_calls_than_allowed(
    day: Day, windows: list[tuple[int, float]], past: list[float]
) -> None:
    start = day.time.instant
    made = day.run(day.call(remembering([Window(*window) for window in windows], past), 15))
    known = [start - age for age in past] + made
    for calls, seconds in windows:
        assert all(sum(end - seconds < time <= end for time in known) <= calls for end in made)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1, 5, 60])), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(0, 0.2), st.booleans()), min_size=1, max_size=15),
)
def test_no_window_holds_more_calls_than_allowed_at_any_moment_of_their_way(
    day: Day, windows: list[tuple[int, float]], calls: list[tuple[float, bool]]
) -> None:
    """Each call has the seconds that it is under way, and whether it is urgent."""
    limiter, spans = Limiter([Window(*window) for window in windows]), list[tuple[float, float]]()

    async def call(takes: float, *, urgent: bool) -> None:
        await limiter.wait_for_room(urgent=urgent)
        left = day.time.instant
        await asyncio.sleep(takes)
        limiter.answered()
        spans.append((left, day.time.instant))

    async def scene() -> list[float]:
        await asyncio.gather(*(call(takes, urgent=urgent) for takes, urgent in calls))
        return []

    day.run(scene())
    assert len(spans) == len(calls)
    for most, seconds in windows:
        for left, _ in spans:
            assert sum(start <= left and end > left - seconds for start, end in spans) <= most


def test_what_has_room_next_is_told_with_those_in_line_and_those_to_come(day: Day) -> None:
    limiter = remembering([Window(2, 10)], [3, 5])
    left = [pytest.approx(each + LEFT_LATER, abs=0.1) for each in (5.0, 7.0)]
    assert [limiter.room_in(behind=behind) for behind in range(3)] == [*left, inf]

    async def scene() -> list[float]:
        waiting = asyncio.create_task(limiter.wait_for_room())
        await asyncio.sleep(0)
        room = [limiter.room_in(), limiter.room_in(behind=1), limiter.room_in(urgent=True)]
        waiting.cancel()
        return [*room, limiter.room_in()] if await gone(waiting) else []

    assert day.run(scene()) == [left[1], inf, left[0], left[0]]


async def gone(task: "asyncio.Task[Any]") -> bool:
    return isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)


def test_those_in_line_keep_their_order_after_a_rest_and_say_that_they_waited(day: Day) -> None:
    limiter, left = Limiter([Window(10, 1)]), list[float]()
    limiter.rest(0.5)

    async def call(number: int) -> None:
        async with limiter.turn() as has_waited:
            assert has_waited
            left.append(number)

    async def scene() -> list[float]:
        calls = [asyncio.create_task(call(number)) for number in range(10)]
        await asyncio.sleep(0.3)
        limiter.rest(1.0)
        await asyncio.gather(*calls)
        return left

    start = day.time.instant
    assert day.run(scene()) == list(range(10))
    assert day.time.instant - start == pytest.approx(1.3, abs=0.01)


def test_a_call_with_room_has_not_waited(day: Day) -> None:
    limiter = Limiter([Window(1, 10)])

    async def scene() -> list[float]:
        async with limiter.turn() as has_waited:
            return [float(has_waited)]

    assert day.run(scene()) == [0.0]


def test_who_comes_while_the_turn_is_handed_on_has_waited_as_well(day: Day) -> None:
    limiter, waited = Limiter([Window(10, 1)]), list[float]()

    async def call() -> None:
        async with limiter.turn() as has_waited:
            waited.append(float(has_waited))

    async def scene() -> list[float]:
        async with asyncio.TaskGroup() as tasks, limiter.turn():
            tasks.create_task(call())
            await asyncio.sleep(0)
            limiter.rest(1)
            tasks.create_task(call())
        return waited

    assert day.run(scene()) == [1.0, 1.0]


def test_whoever_is_behind_waits_for_the_end_of_the_turn(day: Day) -> None:
    limiter, seen = Limiter([Window(10, 1)]), list[float]()

    async def call(number: int, takes: float) -> None:
        async with limiter.turn():
            await asyncio.sleep(takes)
            seen.append(number)

    async def scene() -> list[float]:
        await asyncio.gather(call(1, 0.3), call(2, 0.1), call(3, 0))
        return seen

    assert day.run(scene()) == [1, 2, 3]


def test_an_urgent_call_goes_before_those_in_line(day: Day) -> None:
    limiter, left = remembering([Window(1, 10)], [0]), list[float]()

    async def call(number: int, *, urgent: bool = False) -> None:
        await limiter.wait_for_room(urgent=urgent)
        limiter.answered()
        left.append(number)

    async def scene() -> list[float]:
        calls = [asyncio.create_task(call(number)) for number in range(3)]
        await asyncio.sleep(9)
        calls.append(asyncio.create_task(call(9, urgent=True)))
        await asyncio.sleep(0)
        assert limiter.room_in() == inf
        await asyncio.gather(*calls)
        return left

    assert day.run(scene()) == [9, 0, 1, 2]


def test_dhans_windows_hold_over_a_busy_hour(day: Day) -> None:
    made = day.run(day.call(Limiter(ORDER_CALLS), 1_100))
    ends = [made[calls] - made[0] for calls in (10, 240, 950)]
    assert ends == [pytest.approx(1.001, 0.01), pytest.approx(60.06, 0.01), pytest.approx(3603.6, 0.01)]


async def mixed(day: Day, limiter: Limiter, plain: int, urgent: int) -> list[float]:
    """When each urgent call went through, asked for after so many plain ones."""
    made: list[float] = []

    async def call(*, is_urgent: bool) -> None:
        await limiter.wait_for_room(urgent=is_urgent)
        limiter.answered()
        if is_urgent:
            made.append(day.time.instant)

    await asyncio.gather(*(call(is_urgent=False) for _ in range(plain)), *(call(is_urgent=True) for _ in range(urgent)))
    return made


def test_a_cancellation_passes_the_queue(day: Day) -> None:
    start = day.time.instant
    made = day.run(mixed(day, Limiter([Window(10, 1)]), plain=200, urgent=1))
    assert made[0] - start == pytest.approx(1.005, abs=0.05)


def test_the_last_calls_of_a_window_are_kept_for_cancellations_and_exits(day: Day) -> None:
    start = day.time.instant
    made = day.run(mixed(day, Limiter([Window(10, 60, reserve=3)]), plain=20, urgent=3))
    assert [at - start < 0.1 for at in made] == [True] * 3


def test_after_a_refusal_for_haste_nothing_goes_for_a_moment(day: Day) -> None:
    start = day.time.instant
    limiter = Limiter([Window(10, 1)])
    limiter.rest(1.0)
    assert day.run(day.call(limiter, 1))[0] - start == pytest.approx(1.0, abs=0.01)


def test_calls_that_fit_do_not_wait(day: Day) -> None:
    assert day.run(day.call(Limiter([Window(5, 60)]), 5))[-1] < 0.001


def test_whoever_came_first_goes_first(day: Day) -> None:
    limiter, order = Limiter([Window(1, 1)]), list[float]()

    async def call(number: int) -> None:
        await limiter.wait_for_room()
        limiter.answered()
        order.append(number)

    async def scene() -> list[float]:
        await asyncio.gather(*(call(number) for number in range(5)))
        return order

    assert day.run(scene()) == [0, 1, 2, 3, 4]


def test_calls_of_before_the_start_count_in_whatever_order_they_are_told(day: Day) -> None:
    assert day.run(day.call(remembering([Window(2, 60)], [1, 30]), 1)) == [pytest.approx(30.06 + LEFT_LATER, abs=0.01)]


def test_calls_that_are_old_enough_do_not_count(day: Day) -> None:
    assert day.run(day.call(remembering([Window(2, 60)], [3600, 61 + LEFT_LATER, 30]), 1))[0] < 0.001


def test_a_call_that_was_not_made_makes_room(day: Day) -> None:
    limiter = Limiter([Window(1, 60)])
    day.run(let_through(limiter))
    limiter.give_back()
    assert day.run(day.call(limiter, 1))[0] < 0.001


def test_a_call_given_back_late_does_not_hide_a_call_that_was_made_meanwhile(day: Day) -> None:
    limiter = Limiter([Window(2, 10)])
    day.run(let_through(limiter))  # the one that is not made after all
    day.time.instant += 5
    made = day.run(day.call(limiter, 1))
    limiter.give_back()
    made += day.run(day.call(limiter, 2))
    assert most_within(made, 10) <= 2


async def let_through(limiter: Limiter, calls: int = 1) -> list[float]:
    for _ in range(calls):
        await limiter.wait_for_room()
    return []


def test_a_call_fills_its_place_until_a_window_after_its_answer(day: Day) -> None:
    """However long the way to the broker and back, the broker counts no more than it allows."""
    start = day.time.instant
    made = day.run(day.call(Limiter([Window(2, 10)]), 6, takes=3))
    assert [at - start for at in made] == [pytest.approx(each, abs=0.1) for each in (0, 0, 13, 13, 26, 26)]


def test_a_call_under_way_fills_its_place_however_long_it_takes(day: Day) -> None:
    limiter = Limiter([Window(2, 10)])
    day.run(let_through(limiter, 2))
    day.time.instant += 3600
    assert limiter.room_in(urgent=True) == inf
    limiter.answered()
    day.time.instant += 11
    assert limiter.room_in() <= 0


def test_a_window_that_keeps_everything_in_reserve_lets_only_urgent_calls_through() -> None:
    limiter = Limiter([Window(2, 10, reserve=2)])
    assert limiter.room_in() == inf
    assert limiter.room_in(urgent=True) <= 0


def test_no_windows_are_no_limit(day: Day) -> None:
    assert day.run(day.call(Limiter([]), 100))[-1] < 0.001


def test_dhans_four_windows_are_kept_the_shortest_first() -> None:
    assert [(window.calls, window.seconds) for window in ORDER_CALLS] == [
        (10, 1),
        (250, 60),
        (1_000, 3_600),
        (7_000, 86_400),
    ]
    assert all(short.calls < long.calls for short, long in pairwise(ORDER_CALLS))


async def test_a_desk_that_stood_by_counts_what_the_other_sent_meanwhile(tmp_path: Path) -> None:
    fresh_address(tmp_path)
    parts = build_desk(load(munshi_data_dir=tmp_path), cast("Any", None), windows=[Window(2, 60)])
    with parts.database.transaction() as connection:
        an_attempt(connection, an_order(connection), AttemptState.ACCEPTED, at=clock.SystemClock().now())
        parts.desk._recover(connection)
    limiter = parts.desk._limiter
    await limiter.wait_for_room()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await limiter.wait_for_room()
    await parts.close()


def test_the_attempts_of_the_last_day_are_what_a_restarted_desk_counts(connection: Connection) -> None:
    for number, age in enumerate([timedelta(0), timedelta(hours=23), timedelta(hours=25)], 1):
        an_attempt(connection, an_order(connection), AttemptState.NOT_SENT, name=f"MU{number}", at=WALL - age)
    assert sorted(attempts.ages(connection, WALL)) == [0, 23 * 3600]


def test_every_call_of_an_attempt_counts_and_one_from_the_future_counts_as_now(connection: Connection) -> None:
    again = an_attempt(connection, an_order(connection), AttemptState.NOT_SENT, at=WALL - timedelta(minutes=1))
    attempts.start_again(connection, again, epoch=1, request={}, at=WALL + timedelta(hours=1))
    assert attempts.ages(connection, WALL) == [0, 0]
