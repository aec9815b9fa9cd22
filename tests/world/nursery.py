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
from multiprocessing.process import BaseProcess
from pathlib import Path

_births = multiprocessing.get_context("forkserver")
_births.set_forkserver_preload(
    ["bot.app", "bot.messenger", "core.engine.parts", "core.sandbox.app", "webhook.app", "webhook.server", "core.cli"]
)


def born(command: tuple[str, ...], env: Mapping[str, str], folder: Path, log: Path) -> BaseProcess:
    """Start `python …`, with everything that it says in the log."""
    child = _births.Process(target=_live, args=(command, dict(env), folder, log), daemon=True)
    child.start()
    return child


def _live(command: tuple[str, ...], env: dict[str, str], folder: Path, log: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
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
