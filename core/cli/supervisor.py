"""Keeping processes running: started together, started again when one dies, stopped together."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from core.clock import monotonic
from core.errors import EX_CONFIG

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds before a dead child is started again; doubles each time
STEADY = 60.0  # seconds alive after which the pauses begin anew
AT_ONCE = 5.0  # seconds: who dies sooner has not begun its work
MOST_DEATHS = 10  # at once, one after the other: starting it again will not help
LONGEST_LINE = 1 << 16

_WINDOWS = sys.platform == "win32"
_LEASH = Path(__file__).with_name("leash.py")
_CREATE_NEW_PROCESS_GROUP = 0x200  # Windows: the child hears Ctrl-Break from us, not Ctrl-C from the console


@dataclass(frozen=True)
class Child:
    name: str
    command: tuple[str, ...]
    grace: float = 10.0  # seconds to close down before SIGKILL


Say = Callable[[str, str], None]
"""Shows one line: whose it is, and the text."""


class RefusedSettings(Exception):
    """A child found its settings wrong. It has said why."""


class Hopeless(Exception):
    """A child dies at once, again and again."""


async def supervise(
    children: list[Child], *, stop: asyncio.Event, say: Say, meanwhile: Coroutine[Any, Any, None]
) -> int:
    """Run `children`, and `meanwhile` beside them, until `stop` is set, or one refuses its settings or cannot live.

    Returns the exit code.
    """
    code = 0
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_keep_running(child, say)) for child in children]
            tasks.append(group.create_task(meanwhile))
            await stop.wait()
            for task in tasks:
                task.cancel()
    except* RefusedSettings:
        code = EX_CONFIG
    except* Hopeless:
        code = 1
    return code


async def _keep_running(child: Child, say: Say) -> None:
    pause, deaths = 0.0, 0
    while True:
        started = monotonic()
        code = await _run_once(child, say)
        if code == EX_CONFIG:
            say(child.name, "refuses its settings, so everything stops")
            raise RefusedSettings
        lived = monotonic() - started
        deaths = deaths + 1 if lived < AT_ONCE else 0
        if deaths == MOST_DEATHS:
            often = f"at once {deaths} times in a row"
            say(child.name, f"ended ({_describe(code)}) {often}, so everything stops: the lines above say why")
            raise Hopeless
        pause = next_pause(pause, lived)
        say(child.name, f"ended ({_describe(code)}); started again in {pause:g} s")
        await asyncio.sleep(pause)


def next_pause(last: float, lived: float) -> float:
    """Seconds to wait before starting a child again that lived so long, having waited `last` the time before."""
    if not last or lived >= STEADY:
        return FIRST_PAUSE
    return min(last * 2, LONGEST_PAUSE)


async def _run_once(child: Child, say: Say) -> int:
    process = await _start(child)
    relay = asyncio.create_task(_relay(cast("asyncio.StreamReader", process.stdout), child.name, say))
    try:
        return await process.wait()
    finally:
        await _stop(process, child.grace)
        with contextlib.suppress(TimeoutError):  # a grandchild may hold the pipe open
            await asyncio.wait_for(relay, timeout=1)


async def _start(child: Child) -> asyncio.subprocess.Process:
    """In its own process group, so that Ctrl-C reaches it through us alone, and once."""
    group: dict[str, Any] = {"creationflags": _CREATE_NEW_PROCESS_GROUP} if _WINDOWS else {"process_group": 0}
    leash = () if _WINDOWS else (sys.executable, "-S", str(_LEASH), str(os.getpid()))
    return await asyncio.create_subprocess_exec(
        *leash,
        *child.command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        **group,
    )


async def _relay(output: asyncio.StreamReader, name: str, say: Say) -> None:
    unfinished = b""
    while chunk := await output.read(LONGEST_LINE):
        *lines, unfinished = (unfinished + chunk).split(b"\n")
        if len(unfinished) > LONGEST_LINE:
            lines, unfinished = [*lines, unfinished], b""
        for line in lines:
            say(name, line.decode(errors="replace").rstrip())
    if unfinished:
        say(name, unfinished.decode(errors="replace").rstrip())


async def _stop(process: asyncio.subprocess.Process, grace: float) -> None:
    """Ask, wait, then insist; a process that has ended already is left in peace."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), timeout=grace)
    except TimeoutError:
        _kill(process)
        await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _describe(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
