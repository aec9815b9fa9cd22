"""Copies of a SQLite database that is in use: consistent, complete and checked, or not there at all."""

import os
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from core.db.driver import sqlite_driver
from core.errors import Refusal

_STEP_DONE = 0  # SQLITE_OK: some pages are over, and there are more


def copy_out(database: Path, target: Path) -> None:
    """Copy the database to a new file, mode 0600, while others write; it ends at one commit. Raises Refusal."""
    if not database.is_file():
        raise Refusal(f"there is no database at {database}")
    with _refusals(database), closing(_open(database)) as origin:
        _write_out(origin, target)


def _write_out(origin: Any, target: Path) -> None:
    if target.exists():
        raise Refusal(f"{target} is there already: name another file")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with scratch_file(target) as scratch:
        with closing(_open(scratch)) as copy:
            origin.backup(copy)
        _put_into_one_file(scratch)
        check(scratch)
        os.link(scratch, target)  # all of it at once, and never over another one
    _sync(target.parent)


@contextmanager
def scratch_file(beside: Path) -> Generator[Path]:
    """An empty file that only we may read, gone afterwards."""
    scratch = beside.with_name(f".{beside.name}.{os.getpid()}.part")
    os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield scratch
    finally:
        for leftover in (scratch, Path(f"{scratch}-wal"), Path(f"{scratch}-shm"), Path(f"{scratch}-journal")):
            leftover.unlink(missing_ok=True)


def overwrite(database: Path, *, source: Path, kept: Path | None = None) -> None:
    """Make the database equal to `source` in one step, also for whoever has it open. Raises Refusal.

    `kept`: a new file for what was there. Whoever else would write waits from before it is written until the step is
    done, so that every commit is in there or comes after. The database is left in one file that is on the disk, without
    a log beside it where nobody else has it open.
    """
    if not source.is_file():
        raise Refusal(f"there is no database at {source}")
    with _refusals(source), closing(_open(source)) as origin, closing(_open(database)) as target:
        if kept is None:
            origin.backup(target)
        elif target.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            origin.backup(target, pages=1, progress=_after_the_first_page(partial(copy_out, database, kept)))
        else:
            _keep_everybody_out(target)
            _write_out(target, kept)
            origin.backup(target)
    _put_into_one_file(database)


def _put_into_one_file(database: Path) -> None:
    with _refusals(database), closing(_open(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("rb+") as file:
        os.fsync(file.fileno())


def _keep_everybody_out(connection: Any) -> None:
    """Without a write-ahead log: from here until the connection is closed, neither reads nor writes by others."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


def _after_the_first_page(keep: Callable[[], None]) -> Callable[[int, int, int], None]:
    """SQLite's backup holds the write lock of what it overwrites from the first page on (c3ref/backup_finish).

    Until its commit readers see what was there; if `keep` raises, that is what stays.
    """
    is_kept = False

    def progress(status: int, _left: int, _pages: int) -> None:
        nonlocal is_kept
        if status == _STEP_DONE and not is_kept:
            is_kept = True
            keep()

    return progress


def check(database: Path) -> None:
    """Raise Refusal unless SQLite finds the file whole."""
    with _refusals(database), closing(_open(database)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise Refusal(f"{database} is damaged: {found}")


def _open(file: Path) -> Any:
    if not file.exists():  # closing a file of ours would end the locks that this process has on it
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    return sqlite_driver().connect(file, timeout=5.0)


@contextmanager
def _refusals(file: Path) -> Generator[None]:
    try:
        yield
    except sqlite_driver().Error as error:
        raise Refusal(f"{file} cannot be used as a database: {error}") from None


def _sync(folder: Path) -> None:
    if os.name == "nt":  # it has no handles of folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
