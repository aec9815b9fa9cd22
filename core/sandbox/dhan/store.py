"""The stand-in's file: SQLite that survives kill -9 and a power cut, used from one thread."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.db.driver import sqlite_driver, survives_wal


class Store:
    """Opens or creates `file`. What is written inside `transaction()` is on the disk when the block is left."""

    def __init__(self, file: Path) -> None:
        driver = sqlite_driver()
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        self._db: Any = driver.connect(str(file), isolation_level=None, check_same_thread=False)
        wal = survives_wal(driver.sqlite_version_info)
        self._db.execute(f"PRAGMA journal_mode={'WAL' if wal else 'TRUNCATE'}")
        self._db.execute(f"PRAGMA synchronous={'FULL' if wal else 'EXTRA'}")

    def create(self, schema: str) -> None:
        self._db.executescript(schema)

    @contextmanager
    def transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def write(self, statement: str, values: Sequence[Any]) -> int:
        """The number of rows that changed."""
        return self._db.execute(statement, values).rowcount

    def read(self, query: str, *values: Any) -> Iterable[tuple[Any, ...]]:
        return self._db.execute(query, values)

    def read_one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        return self._db.execute(query, values).fetchone()
