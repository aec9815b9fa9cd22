"""Where the database is: what may stand in DATABASE_URL, and which driver speaks to it."""

from importlib.util import find_spec

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_POSTGRESQL = {"postgresql", "postgres", "postgresql+psycopg"}
_SHAPES = "sqlite:///path/to/file.db or postgresql://user:password@host/database"


def read_address(text: str) -> URL:
    """With the driver that Munshi uses. Raises ValueError, in words and without the password."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ValueError(f"write {_SHAPES}, or leave it unset") from None
    if url.drivername == "sqlite":
        return url
    if url.drivername not in _POSTGRESQL:
        raise ValueError(f"Munshi does not speak {url.drivername}: write {_SHAPES}")
    if not url.database:
        raise ValueError("it does not name the database: write postgresql://user:password@host/database")
    return url.set(drivername="postgresql+psycopg")


def what_is_wrong_with(text: str) -> str:
    """One sentence for the person who set it; empty when it can be used."""
    try:
        url = read_address(text)
    except ValueError as fault:
        return str(fault)
    if not is_file(url) and not _has_driver():
        return "PostgreSQL needs its driver: python -m pip install --require-hashes -r requirements-postgres.lock"
    return ""


def _has_driver() -> bool:
    try:
        return find_spec("psycopg") is not None
    except ValueError:  # it was looked for before, in vain
        return False


def is_file(url: URL) -> bool:
    """Whether it is SQLite, whose database is a file of this machine."""
    return url.drivername == "sqlite"
