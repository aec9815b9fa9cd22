"""Real processes under the supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.cli import supervisor
from core.cli.supervisor import Child, next_pause, supervise
from core.errors import EX_CONFIG
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
LIVES_ON = "import time; print('up'); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"


class Console:
    """What the supervisor said, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def say(self, name: str, text: str) -> None:
        self.lines.append((name, text))
        self._changed.set()

    async def wait_for(self, name: str, part: str, *, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while sum(who == name and part in text for who, text in self.lines) < times:
                self._changed.clear()
                await self._changed.wait()


def python(name: str, script: str, *, grace: float = 10) -> Child:
    return Child(name, (sys.executable, "-c", script), grace)


async def nothing() -> None:
    pass


@asynccontextmanager
async def running(*children: Child) -> AsyncGenerator[tuple[Console, Callable[[], None], asyncio.Task[int]]]:
    console, stop = Console(), asyncio.Event()
    task = asyncio.create_task(supervise(list(children), stop=stop, say=console.say, meanwhile=nothing()))
    try:
        yield console, stop.set, task
    finally:
        stop.set()
        await task


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_each_line_comes_with_the_name_of_its_process() -> None:
    script = "import sys, time; sys.stderr.write('two'); sys.stderr.flush(); print('₹ one'); time.sleep(60)"
    async with running(python("web", script), python("desk", LIVES_ON)) as (console, stop, _):
        await console.wait_for("web", "₹ one")
        await console.wait_for("desk", "up")
        stop()
        await console.wait_for("web", "two")


async def test_a_line_without_an_end_is_passed_on_and_blocks_nobody() -> None:
    script = "import sys; sys.stdout.write('x' * 1_000_000); print(); print('after')"
    async with running(python("web", script)) as (console, _, _):
        await console.wait_for("web", "after")
    assert sum(text.count("x") for _, text in console.lines if set(text) == {"x"}) >= 1_000_000


async def test_a_process_that_dies_is_started_again_and_that_is_said() -> None:
    async with running(python("desk", "print('up')")) as (console, _, _):
        await console.wait_for("desk", "up", times=3)
    said = [text for _, text in console.lines if "started again" in text]
    assert said[:2] == ["ended (exit code 0); started again in 0.2 s", "ended (exit code 0); started again in 0.4 s"]


async def test_a_killed_process_is_started_again_while_the_others_run_on() -> None:
    script = "import os, time; print('pid', os.getpid()); time.sleep(60)"
    async with running(python("desk", script), python("web", script)) as (console, _, _):
        await console.wait_for("desk", "pid")
        await console.wait_for("web", "pid")
        os.kill(pid_of("desk", console), signal.SIGKILL)
        await console.wait_for("desk", "ended (SIGKILL)")
        await console.wait_for("desk", "pid", times=2)
        assert alive(pid_of("web", console))


async def test_stopping_ends_all_of_them() -> None:
    script = "import os, time; print('pid', os.getpid()); time.sleep(60)"
    async with running(python("desk", script), python("web", script)) as (console, stop, task):
        await console.wait_for("desk", "pid")
        await console.wait_for("web", "pid")
        stop()
        assert await task == 0
        assert not any(alive(pid_of(name, console)) for name in ("desk", "web"))
    assert not any("started again" in text for _, text in console.lines)


async def test_a_process_that_will_not_stop_is_killed() -> None:
    async with running(python("desk", DEAF, grace=0.2)) as (console, stop, task):
        await console.wait_for("desk", "up")
        stop()
        assert await asyncio.wait_for(task, timeout=PATIENCE) == 0


async def test_bad_settings_in_one_stop_all_and_nothing_is_tried_again() -> None:
    refuses = f"import sys; print('PORT: no'); sys.exit({EX_CONFIG})"
    async with running(python("web", refuses), python("desk", LIVES_ON)) as (console, _, task):
        assert await asyncio.wait_for(task, timeout=PATIENCE) == EX_CONFIG
    assert ("web", "PORT: no") in console.lines
    assert not any("started again" in text for _, text in console.lines)


async def test_one_that_dies_at_once_again_and_again_stops_all_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.01)
    async with running(python("web", "raise SystemExit(3)"), python("desk", LIVES_ON)) as (console, _, task):
        assert await asyncio.wait_for(task, timeout=PATIENCE) == 1
    last = [text for name, text in console.lines if name == "web"][-1]
    assert last == "ended (exit code 3) at once 10 times in a row, so everything stops: the lines above say why"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_processes_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    held = tmp_path / "held"
    child = f"""
import fcntl, time
file = open({str(held)!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("up")
time.sleep(60)
"""
    supervisor = f"""
import asyncio, sys
from core.cli.supervisor import Child, supervise
async def main():
    say = lambda name, text: print(text, flush=True)
    child = Child("desk", (sys.executable, "-c", {child!r}))
    await supervise([child], stop=asyncio.Event(), say=say, meanwhile=asyncio.sleep(0))
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", supervisor], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.kill()
    with held.open() as file:
        # The kernel lets go of the lock when its holder ends; left alone, the child would keep it for a minute.
        subprocess.run(["flock", "--timeout", "10", str(file.fileno())], pass_fds=[file.fileno()], check=True)


@pytest.mark.parametrize(
    ("last", "lived", "expected"),
    [(0, 0, 0.2), (0.2, 1, 0.4), (6.4, 1, 10), (10, 59, 10), (10, 60, 0.2)],
)
def test_pauses_double_up_to_ten_seconds_and_begin_anew_after_a_steady_minute(
    last: float, lived: float, expected: float
) -> None:
    assert next_pause(last, lived) == expected


def pid_of(name: str, console: Console) -> int:
    return int(next(text for who, text in console.lines if who == name and text.startswith("pid")).split()[1])
