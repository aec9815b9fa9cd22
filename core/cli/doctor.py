"""`munshi doctor`: is everything in order? One line each, the bad ones with what to do. It changes nothing.

The exit code is 0 when all is well and 1 when something is not, for monitors.
"""

import asyncio
import sys

from core.bootstrap import build_clock
from core.clock import SystemClock
from core.db.engine import Database
from core.db.schema import WrongSchema, check_schema
from core.db.tokens import TokenVault
from core.doctor import Finding
from core.doctor.machine import look_at_machine, look_at_rows, look_at_settings
from core.doctor.outside import look_outside
from core.errors import Unavailable
from core.settings import Settings, load


def run() -> int:
    settings = load()
    found = [*look_at_settings(settings), *look_at_machine(settings)]
    rows, token = _look_at_database(settings)
    found += rows
    for finding in found:
        _say(finding)
    bad = sum(finding.is_bad for finding in found) + asyncio.run(_outside(settings, token))
    print(f"\n{bad} of these want your attention." if bad else "\nAll is well.")
    return 1 if bad else 0


async def _outside(settings: Settings, token: str | None) -> int:
    """How many are bad; each is said when it is known."""
    bad = 0
    async for finding in look_outside(settings, token):
        _say(finding)
        bad += finding.is_bad
    return bad


def _look_at_database(settings: Settings) -> tuple[list[Finding], str | None]:
    """What is in it, and the sign-in that it has."""
    path = settings.munshi_data_dir / "munshi.db"
    if settings.database_url is None and not path.exists():
        return [Finding("database", "there is none yet", "start the desk once: munshi up")], None
    try:
        database = Database(settings.database, busy_timeout=1.0)
    except OSError as error:
        return [Finding("database", f"it cannot be opened: {error.strerror}", "check its owner and its mode")], None
    now, wall = build_clock(settings).now(), SystemClock().now()
    try:
        check_schema(database)
        with database.snapshot() as connection:
            stored = TokenVault(settings.token_keys).load(connection, settings.client_id)
            rows = [Finding("database", "it can be read, at this version's schema")]
            rows += look_at_rows(connection, settings, now, wall)
            return rows, stored.value if stored and stored.expires_at > now else None
    except WrongSchema as error:
        return [Finding("database", str(error), "munshi migrate")], None
    except Unavailable as trouble:
        return [Finding("database", str(trouble), "see docs/operations.md, restore a backup")], None
    finally:
        database.close()


def _say(finding: Finding) -> None:
    mark = "✗" if finding.is_bad else "✓"
    colour = (31 if finding.is_bad else 32) if sys.stdout.isatty() else 0
    shown = f"\x1b[{colour}m{mark}\x1b[0m" if colour else mark
    print(f"{shown} {finding.subject}: {finding.words.rstrip('.')}.")
    if finding.is_bad:
        print(f"    → {finding.fix}")
