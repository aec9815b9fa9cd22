"""`munshi up`: migrate, start web, desk and (in paper mode) the sandbox, say where they are, stop all together."""

import asyncio
import contextlib
import os
import signal
import sys
from types import FrameType

from core.cli.banner import banner, local_web
from core.cli.claims import check_port, claim
from core.cli.readiness import reasons, wait_for_page
from core.cli.supervisor import Child, supervise
from core.clock import PaperClock, monotonic, moved_to
from core.settings import Settings, load

ANSWERS = 30.0  # seconds for the servers to answer at all
READY = 5.0  # seconds more for the desk to sign in

_COLOURS = {"web": 36, "desk": 32, "sandbox": 35}  # ANSI foreground


def run() -> int:
    started = monotonic()
    settings = load()
    with claim(settings.munshi_data_dir):
        check_port("PORT", settings.host, settings.port)
        if settings.paper:
            check_port("SANDBOX_PORT", "127.0.0.1", settings.sandbox_port)
        from core.bootstrap import set_clock  # noqa: PLC0415 (the same)
        from core.db.migration import migrate  # noqa: PLC0415 (slow to load: the claims come first)

        migrate(settings)
        set_clock(settings)
        return asyncio.run(_run(settings, started))


def children(settings: Settings) -> list[Child]:
    """What runs, each by its own `python -m`."""
    modules = {"web": "webhook", "desk": "bot"} | ({"sandbox": "core.sandbox"} if settings.paper else {})
    return [Child(name, (sys.executable, "-m", module)) for name, module in modules.items()]


async def _run(settings: Settings, started: float) -> int:
    greeting = _greet(settings, started)
    return await supervise(children(settings), stop=_stop_signal(), say=_say, meanwhile=greeting)


async def _greet(settings: Settings, started: float) -> None:
    web = local_web(settings)
    pages = [wait_for_page(f"{web}/ready", seconds=ANSWERS, good=frozenset({200, 503}))]
    if settings.paper:
        pages.append(wait_for_page(f"{settings.sandbox_url}/", seconds=ANSWERS, good=frozenset({200})))
    if None in await asyncio.gather(*pages):
        _say("munshi", f"not everything answers after {ANSWERS:g} s: the lines above say why")
        return
    ready = await wait_for_page(f"{web}/ready", seconds=READY, good=frozenset({200}))
    waiting = None if ready else await wait_for_page(f"{web}/ready", seconds=1, good=frozenset({503}))
    moved = moved_to(PaperClock(settings.clock_file)) if settings.paper else None
    text = banner(
        settings,
        seconds=monotonic() - started,
        reasons=reasons(waiting) if waiting else [],
        moved_to=moved,
        to_terminal=sys.stdout.isatty(),
    )
    print(f"\n{text}\n", flush=True)


def _stop_signal() -> asyncio.Event:
    """Set by Ctrl-C, SIGTERM, a closed terminal, or on Windows Ctrl-Break."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def ask(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ask)
    return stop


def _say(name: str, text: str) -> None:
    """A closed terminal or a full disk loses a line; it must not block the child that wrote it."""
    with contextlib.suppress(OSError):
        print(f"{_label(name)} {text}", flush=True)


def _label(name: str) -> str:
    plain = f"{name:<7} |"
    if os.environ.get("NO_COLOR") or sys.platform == "win32" or not sys.stdout.isatty():
        return plain
    return f"\x1b[{_COLOURS.get(name, 1)}m{plain}\x1b[0m"
