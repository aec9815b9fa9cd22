"""DATABASE_URL: which addresses are taken, what is said about the others, and what each kind of database loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.db.address import is_file, read_address, what_is_wrong_with
from core.errors import BadSettings
from core.settings import load

ROOT = Path(__file__).parents[3]
ON_SQLITE = """
import sys
from pathlib import Path
from core.bootstrap import open_database
from core.db.migration import migrate
from core.settings import load
settings = load(munshi_data_dir=Path(sys.argv[1]))
migrate(settings)
open_database(settings).close()
print(sorted(name for name in sys.modules if name.split(".")[0].startswith("psycopg")))
"""


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_spoken_to_by_its_one_driver_however_it_is_written(scheme: str) -> None:
    address = read_address(f"{scheme}://desk:secret@db.example.com:5433/munshi?sslmode=verify-full")
    assert address.drivername == "postgresql+psycopg"
    assert (address.host, address.port, address.database) == ("db.example.com", 5433, "munshi")
    assert address.query == {"sslmode": "verify-full"}
    assert not is_file(address)


def test_sqlite_is_a_file() -> None:
    assert is_file(read_address("sqlite:///data/munshi.db"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("munshi.db", "write sqlite:///path/to/file.db or postgresql://user:password@host/database"),
        ("postgresql://desk:canary@localhost:many/munshi", "write sqlite:///path/to/file.db or postgresql://"),
        ("postgresql://desk:canary@localhost", "it does not name the database"),
        ("mysql://desk:canary@localhost/munshi", "Munshi does not speak mysql"),
        ("postgresql+asyncpg://desk:canary@localhost/munshi", "Munshi does not speak postgresql+asyncpg"),
    ],
)
def test_another_address_is_refused_in_words_and_without_its_password(tmp_path: Path, address: str, says: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load(munshi_data_dir=tmp_path, database_url=address)
    [fault] = refused.value.faults
    assert fault.startswith(f"DATABASE_URL: {says}")
    assert "canary" not in fault


def test_without_the_driver_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as Python notes a module that is not there
    assert what_is_wrong_with("postgresql://localhost/munshi").startswith("PostgreSQL needs its driver")
    assert what_is_wrong_with("sqlite:///munshi.db") == ""


def test_on_sqlite_nothing_of_postgresqls_driver_is_loaded(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_SQLITE, str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin"},
    )
    assert done.stdout.splitlines()[-1] == "[]"
