"""What can go wrong with the database, in words."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from core.db.driver import sqlite_driver
from core.errors import Unavailable

_BUSY = 5  # SQLITE_BUSY, in the low byte of the extended codes too


class DatabaseUnavailable(Unavailable):
    """Nothing was stored: the database is locked, full or unreadable."""


class CommitInDoubt(DatabaseUnavailable):
    """COMMIT itself failed: what stands in the file is only known after reading it again."""


def is_busy(error: BaseException | None) -> bool:
    """Whether the driver says that another connection holds a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF == _BUSY


@contextmanager
def words_for_trouble() -> Generator[None]:
    """Turn the driver's and the toolkit's errors into DatabaseUnavailable."""
    try:
        yield
    except sqlite_driver().OperationalError as error:  # from a statement that went past the toolkit
        raise DatabaseUnavailable(f"the database did not take it: {error}") from error
    except OperationalError as error:
        raise DatabaseUnavailable(f"the database did not take it: {error.orig}") from error
