"""What can go wrong with the database, in words."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, OperationalError

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
    """A file that is locked, full or damaged; what breaks a rule of ours is a bug and passes as it is."""
    driver = sqlite_driver()
    try:
        yield
    except (DatabaseError, driver.DatabaseError) as error:  # the driver's own: past the toolkit
        if type(error) not in (OperationalError, DatabaseError, driver.OperationalError, driver.DatabaseError):
            raise
        raise DatabaseUnavailable(f"the database did not take it: {getattr(error, 'orig', error)}") from error
