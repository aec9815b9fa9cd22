"""A PostgreSQL server of the tests' own, and a fresh database on it for each of them.

MUNSHI_TEST_POSTGRES chooses the database of the whole run: unset, tests run on SQLite, and those of tests/postgresql
start a server by themselves; `1` runs all on a server that is started for it; an address, all on that server.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from atexit import register
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core.db.address import what_is_wrong_with
from core.db.migration import config
from tests.ports import find_port
from tests.world.processes import until

CHOSEN = os.environ.get("MUNSHI_TEST_POSTGRES", "")
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
_ROOM = 2**31
_NOT_ROOT = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def is_chosen() -> bool:
    """Whether the run is on PostgreSQL."""
    return bool(CHOSEN)


def fresh_address(folder: Path, *, migrated: bool = True) -> str:
    """A database that nobody has seen, whose rows are left in that folder; skips the test where there is no server."""
    name = f"munshi_{secrets.token_hex(6)}"
    _run(f"CREATE DATABASE {name} TEMPLATE {_template() if migrated else 'template0'}")
    _made[name] = folder
    return _address(name)


def made() -> frozenset[str]:
    """The databases that there are."""
    return frozenset(_made)


def drop_all(*, but: frozenset[str] = frozenset()) -> None:
    """What was made until now, but for its rows; whoever is still connected is thrown out."""
    for name in _made.keys() - but:
        folder = _made.pop(name)
        if folder.exists():
            (folder / f"{name}.xml").write_text(_rows(name))
        _drop(name)


def _rows(name: str) -> str:
    """All of them, for whoever looks for what should not be there."""
    return _run("SELECT database_to_xml(true, true, '')", database=name)


def _drop(name: str) -> None:
    _run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


_made: dict[str, Path] = {}


class Server:
    """Listens on 127.0.0.1; what it has is in memory or /tmp, and gone with it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="munshi-postgres-", dir=_home()))
        self.port = find_port()
        if _NOT_ROOT:
            shutil.chown(self._folder, "nobody", "nogroup")
        data = self._folder / "data"
        self._do("initdb", "-D", str(data), "-U", "munshi", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self._process: subprocess.Popen[bytes] | None = None
        self._data = data
        self.start()

    @property
    def address(self) -> str:
        return f"postgresql://munshi@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        rules = [part for name, value in _FAST.items() for part in ("-c", f"{name}={value}")]
        listen = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *listen, *rules],
                cwd="/",
                stdout=log,
                stderr=log,
                **_NOT_ROOT,  # pyright: ignore[reportArgumentType]
            )
        asking = ("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        until(lambda: self._run(*asking).returncode == 0, "the server answers", 20)

    def crash(self) -> None:
        """Everything ends at once, whatever it is doing; it looks through its log when it starts again."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()

    def remove(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, program: str, *arguments: str) -> None:
        done = self._run(program, *arguments)
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._programs / program), *arguments]
        return subprocess.run(command, cwd="/", capture_output=True, check=False, **_NOT_ROOT)


def _home() -> str:
    """Memory where there is enough of it: a new database then costs a twentieth of a second, and not a third."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > _ROOM else "/tmp"


def programs() -> Path | None:
    """Where the server's programs are, when they are installed: Debian keeps most of them out of the path."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    beside = shutil.which("initdb")
    return found[-1] if found else Path(beside).parent if beside else None


def server_address() -> str:
    """The server that this process's tests use; skips the test where there is none."""
    if "://" in CHOSEN:
        return CHOSEN
    if trouble := what_is_wrong_with("postgresql://127.0.0.1/any"):
        pytest.skip(trouble)
    if programs() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    return own_server().address


@cache
def own_server() -> Server:
    where = programs()
    assert where
    server = Server(where)
    register(server.remove)
    return server


@cache
def _template() -> str:
    """A copy of it costs a few hundredths of a second; the migrations run once per test process."""
    from alembic import command  # noqa: PLC0415 - heavy

    name = f"munshi_{secrets.token_hex(6)}"
    _run(f"CREATE DATABASE {name} TEMPLATE template0")
    register(_drop, name)
    register(drop_all)
    command.upgrade(config(_address(name)), "head")
    return name


def _address(name: str) -> str:
    return make_url(server_address()).set(database=name).render_as_string(hide_password=False)


def _run(statement: str, *, database: str | None = None) -> str:
    """What it answers, if anything."""
    url = make_url(server_address()).set(drivername="postgresql+psycopg")
    engine = create_engine(url.set(database=database or url.database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        done = connection.execute(text(statement))
        answer = str(done.scalar()) if done.returns_rows else ""
    engine.dispose()
    return answer
