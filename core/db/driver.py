"""Which SQLite the process uses."""

import sqlite3
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def sqlite_driver() -> ModuleType:
    """The SQLite module that the whole process uses: two copies in one process would drop each other's locks."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:  # no wheel for this platform
        return sqlite3


def survives_wal(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite is free of the WAL-reset bug, which can corrupt a file that two processes share."""
    return version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51, 0) or (3, 44, 6) <= version < (3, 45, 0)
