"""Where the processes of a test are born: forked from one that has imported the product, which takes milliseconds.

Each is a process of its own with its own pid, environment and log, and runs the named module as `python -m` would; only
the reading of its source is shared. That the product starts from nothing, `tests/integration/test_up.py` shows.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

_births = multiprocessing.get_context("forkserver")
_PRODUCT = "bot.app bot.messenger core.engine.parts core.sandbox.app webhook.app webhook.server core.cli"
_FOUND_WHEN_RUNNING = (
    "anyio._backends._asyncio cryptography.fernet uvicorn.lifespan.on uvicorn.loops.uvloop "
    "uvicorn.protocols.websockets.auto webhook.quick_connections"
)
_births.set_forkserver_preload(f"{_PRODUCT} {_FOUND_WHEN_RUNNING}".split())


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The files that a process reads and writes; what it says goes after what they hold."""

    read: Path = Path(os.devnull)
    out: Path
    err: Path


def born(command: tuple[str, ...], env: Mapping[str, str], folder: Path, streams: Streams) -> BaseProcess:
    """Start `python …` in that folder."""
    child = _births.Process(target=_live, args=(command, dict(env), folder, streams), daemon=True)
    child.start()
    return child


def _live(command: tuple[str, ...], env: dict[str, str], folder: Path, streams: Streams) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(streams.read, os.O_RDONLY), 0)
    sys.stdin = os.fdopen(0)
    for number, file in ((1, streams.out), (2, streams.err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    match command:
        case ("-m", module, *arguments):
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case (file, *arguments):
            sys.argv = [file, *arguments]
            runpy.run_path(file, run_name="__main__")
        case _:
            raise ValueError(command)
