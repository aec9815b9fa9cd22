"""What can go wrong with the database, in words."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, PendingRollbackError

from core.db.driver import sqlite_driver
from core.errors import Unavailable

_BUSY = 5  # SQLITE_BUSY, in the low byte of the extended codes too
_NOT_AS_IT_SHOULD_BE = {"25006", "42P01", "42501"}
"""PostgreSQL's codes for a server that may no longer be written to, a table that is gone, and one kept from us."""
_LOCKED = "55P03"


class DatabaseUnavailable(Unavailable):
    """Nothing was stored: the database is locked, full, unreadable or out of reach."""


class CommitInDoubt(DatabaseUnavailable):
    """COMMIT itself failed: what stands in the file is only known after reading it again."""


def is_busy(error: BaseException | None) -> bool:
    """Whether the driver says that another connection holds a lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF == _BUSY


@contextmanager
def words_for_trouble() -> Generator[None]:
    """One that is locked, full, damaged or out of reach; what breaks a rule of ours is a bug and passes as it is."""
    driver = sqlite_driver()
    try:
        yield
    except PendingRollbackError as error:
        raise DatabaseUnavailable("the connection to the database was lost before") from error
    except (DatabaseError, driver.DatabaseError) as error:  # the driver's own: past the toolkit
        bare = type(error) in (OperationalError, DatabaseError, driver.OperationalError, driver.DatabaseError)
        if not bare and _state(error) not in _NOT_AS_IT_SHOULD_BE:
            raise
        if _state(error) == _LOCKED:
            raise DatabaseUnavailable("the database is locked: another process did not finish in time") from error
        raise DatabaseUnavailable(f"the database did not take it: {getattr(error, 'orig', error)}") from error


def _state(error: BaseException) -> str | None:
    """PostgreSQL's code of what happened."""
    return getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
