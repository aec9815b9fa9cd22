"""The machine and its files: settings, disk, SQLite, the database, what is kept in the data directory."""

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core import controls
from core.clock import to_india
from core.db import leases, tokens
from core.db.driver import sqlite_driver, survives_wal
from core.doctor import Finding
from core.reports import desk_report
from core.settings import Settings, unheeded_in_file

LEAST_FREE = 500 * 1024 * 1024
LATE_MESSAGE = timedelta(minutes=2)
OLDEST_LIST = timedelta(days=2, hours=8)
"""Dhan makes a list of instruments every morning: so long after a list's day began, one was missed."""


def look_at_settings(settings: Settings) -> Iterator[Finding]:
    """What could be loaded, and what in `.env` nothing reads."""
    slips = unheeded_in_file()
    yield Finding("settings", f"{settings.munshi_mode} mode{'' if slips else ', all in order'}")
    for name, cure in slips.items():
        yield Finding("settings", f"{name} in .env is no setting, so it changes nothing", cure)


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.munshi_data_dir).free
    words = f"{free / 1e9:.1f} GB free at {settings.munshi_data_dir}"
    yield Finding("disk", words, "" if free >= LEAST_FREE else "make room: a full disk takes no alerts")
    version = sqlite_driver().sqlite_version
    is_fast = survives_wal(sqlite_driver().sqlite_version_info)
    yield Finding("SQLite", f"{version}, {'write-ahead log' if is_fast else 'rollback journal, since it has a bug'}")
    if os.name != "nt":
        mode = stat.S_IMODE(settings.munshi_data_dir.stat().st_mode)
        fix = f"chmod 700 {settings.munshi_data_dir}" if mode & 0o077 else ""
        yield Finding("data", f"the data directory is {'open to others' if fix else 'yours alone'}", fix)


def look_at_rows(connection: Connection, settings: Settings, now: datetime, wall: datetime) -> Iterator[Finding]:
    """What the database knows: whether a desk runs, what holds it, its sign-in, its instruments."""
    report = desk_report(connection, wall)
    lease = leases.current(connection)
    if lease is not None and lease.expires_at > wall:
        yield Finding("desk", f"it runs ({lease.holder.split(':')[0]})")
    else:
        yield Finding("desk", "none is running", "start it: munshi up, or systemctl start munshi.target")
    held = list(controls.holds(connection).values())
    yield Finding("holds", " ".join(held) or "orders may go out", "see /status in the chat" if held else "")
    unsent = max(now - report.oldest_unsent, timedelta(0)) if report.oldest_unsent else timedelta(0)
    waiting = f"{report.undecided} alerts not decided, oldest unsent message {unsent.total_seconds():.0f} s"
    late = report.undecided > 0 or unsent > LATE_MESSAGE
    yield Finding("queue", waiting, "see the desk's log: it should decide and tell within seconds" if late else "")
    yield _token(connection, now)
    yield _instruments(connection, settings, now)


def _token(connection: Connection, now: datetime) -> Finding:
    living = tokens.age(connection)
    if living is None or living.expires_at <= now:
        return Finding("token", "not signed in at Dhan", "send /login in the chat, or use munshi token")
    left = (living.expires_at - now).total_seconds() / 3600
    return Finding("token", f"signed in until {to_india(living.expires_at):%d %b at %H:%M}, {left:.1f} h left")


def _instruments(connection: Connection, settings: Settings, now: datetime) -> Finding:
    stored = controls.fetch(connection, "instruments")
    if stored is None or not settings.instruments_file.exists():
        return Finding("instruments", "no list yet", "start the desk: it fetches Dhan's list by itself")
    made = datetime.fromisoformat(f"{stored['day']}T00:00:00+05:30")
    old = now - made > OLDEST_LIST
    fix = "see the desk's log for why it cannot fetch today's" if old else ""
    return Finding("instruments", f"the list of {stored['day']}, {stored['rows']} rows", fix)
