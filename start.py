"""What `./run` and `./test` do: make `.venv`, fill it from the lock, and hand over to it.

Standard library only, for Linux, macOS and Windows. It must parse on an old Python, to be able to say so.
Packages are installed when the lock has changed since the last time, so a second start goes straight through.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "munshi-lock"
LOG = VENV / "install.log"
RUN_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"

UNFINISHED = "unfinished"
OFFLINE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ProxyError", "Network is unreachable")


def main(arguments: list[str]) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python gets this sentence instead of a traceback)
        found = ".".join(map(str, sys.version_info[:3]))
        stop(
            f"Munshi needs Python 3.11 or newer, and {sys.executable} is {found}. Another one: PYTHON=python3.12 ./run"
        )
    os.chdir(ROOT)
    if arguments[:1] == ["run"]:
        prepare(RUN_LOCK, or_else=DEV_LOCK)
        hand_over(["-m", "core", "up", *arguments[1:]])
    elif arguments[:1] == ["test"]:
        options = test_options(arguments[1:])
        prepare(DEV_LOCK)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process of the tests would compile everything anew
        hand_over(["-m", "pytest", *options, *arguments[1:]])
    else:
        stop("Say what to do: `start.py run`, or `start.py test` with options for pytest.")


def test_options(arguments: list[str]) -> list[str]:
    """How pytest runs here: a named file or test by itself; everything on five processes, since many of them wait.

    Whoever of them is done early takes from the others, so that none is left alone with the long ones.
    """
    named = [argument for argument in arguments if Path(argument.split("::")[0]).exists()]
    options = [] if named else ["-n", "5", "--dist", "worksteal"]
    if named and not any("browser" in name for name in named):
        return options
    if os.environ.get("MUNSHI_NO_BROWSER") == "1":
        say("The browser tests are left out (MUNSHI_NO_BROWSER=1): this run says nothing about the chat page.")
        return [*options, "--ignore=tests/browser"]
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        stop(
            "The browser tests need Chromium. On Debian or Ubuntu: sudo apt-get install chromium. "
            "To leave them out: MUNSHI_NO_BROWSER=1 ./test"
        )
    return options


def prepare(lock: Path, *, or_else: Path | None = None) -> None:
    """Make `.venv` hold what `lock` names; `or_else` names all of that and more, so it will do if it is in place."""
    if holds(lock) or (or_else and holds(or_else)):
        return
    with one_at_a_time():
        if not holds(lock):
            discard_if_broken()
            install(lock)


def holds(lock: Path) -> bool:
    return read_stamp() == stamp_for(lock)


def install(lock: Path) -> None:
    """Fill `.venv`. The stamp says `unfinished` until all of it is there, so that half of it is never believed."""
    VENV.mkdir(exist_ok=True)
    STAMP.write_text(UNFINISHED)
    if not PYTHON.exists():
        make_venv()
    say(f"Installing what {lock.name} names into .venv (only when it changes; half a minute or so) ...")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1"]
    with LOG.open("w") as log:
        done = subprocess.run([*pip, "--require-hashes", "-r", lock], stdout=log, stderr=log, check=False)  # noqa: S603
    if done.returncode:
        stop(why_pip_failed(LOG.read_text(errors="replace")))
    finished = STAMP.with_name(f"{STAMP.name}.new")
    finished.write_text(f"{stamp_for(lock)}\n")
    finished.replace(STAMP)


def make_venv() -> None:
    if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
        stop("This Python cannot make a virtual environment. On Debian or Ubuntu: sudo apt-get install python3-venv")
    say("Making .venv ...")
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)  # noqa: S603
    if made.returncode:
        stop(f"The virtual environment could not be made: {last_line(made.stderr or made.stdout)}")


def discard_if_broken() -> None:
    """Begin anew after an interrupted installation, or when the Python that `.venv` was made for has gone."""
    stamp = read_stamp()
    if stamp == UNFINISHED or (stamp and not stamp.endswith(interpreter())):
        shutil.rmtree(VENV)


def stamp_for(lock: Path) -> str:
    return f"{lock.name} {hashlib.sha256(lock.read_bytes()).hexdigest()} {interpreter()}"


def read_stamp() -> str:
    return STAMP.read_text().strip() if STAMP.exists() else ""


def interpreter() -> str:
    """The program behind `.venv`: a system upgrade puts another one there, which sees none of the packages."""
    return os.path.realpath(PYTHON) if PYTHON.exists() else "no interpreter"


@contextmanager
def one_at_a_time() -> Generator[None]:
    """Let a `./run` and a `./test` started together install one after the other."""
    if os.name == "nt":
        yield
        return
    import fcntl  # noqa: PLC0415 (Windows has none)

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def why_pip_failed(log: str) -> str:
    if any(sign in log for sign in OFFLINE):
        return (
            "The packages could not be fetched: no way to the package index. Only this first start needs the network."
        )
    return f"pip could not install the packages: {last_line(log)} (all of it: {LOG})"


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR", "error", "Error"))]
    return (errors or lines or ["no reason given"])[-1]


def hand_over(command: list[str]) -> NoReturn:
    """Become the program in `.venv`; on Windows, which cannot, wait for it."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(PYTHON, [str(PYTHON), *command])  # noqa: S606
    with subprocess.Popen([PYTHON, *command]) as child:  # noqa: S603
        while True:
            try:
                sys.exit(child.wait())
            except KeyboardInterrupt:
                continue  # the child got the same Ctrl-C and is closing down


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def stop(line: str) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    sys.exit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        stop(f"{error.filename or ROOT}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(130)
