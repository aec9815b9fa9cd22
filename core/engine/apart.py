"""Work in a transaction beside other work: a bug of ours in one costs that one, and no other."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from core.db.trouble import words_for_trouble
from core.errors import Unavailable

log = structlog.get_logger()


@dataclass
class Trial:
    has_failed: bool = False


@contextmanager
def apart(connection: Connection, event: str, **facts: object) -> Generator[Trial]:
    """What is done inside stands or falls alone; an exception undoes it, and is logged as `event`. Raises Unavailable:
    a database that takes nothing is no bug.
    """
    trial, savepoint = Trial(), connection.begin_nested()
    try:
        with words_for_trouble():
            yield trial
    except Unavailable:
        savepoint.rollback()
        raise
    except Exception:
        savepoint.rollback()
        log.exception(event, **facts)
        trial.has_failed = True
    else:
        savepoint.commit()
