"""Reading back what the desk made of a sign-in."""

import asyncio
from collections.abc import Callable

from core.clock import monotonic
from core.db import logins
from core.db.engine import Database
from core.db.logins import Login
from core.wakeup import Nudger

PATIENCE = 12.0
LOOK_EVERY = 0.05


class LoginWatch:
    def __init__(self, database: Database, nudger: Nudger) -> None:
        self._database = database
        self._nudger = nudger

    async def wait(self, login_id: int, enough: Callable[[Login], bool]) -> Login | None:
        """Wake the desk. The row once it is `enough`, or as it stands after a while; at once where there is no desk."""
        self._nudger.nudge()
        await self._nudger.look()
        until = monotonic() + (PATIENCE if self._nudger.desk_is_there else 0)
        while True:
            login = await self._database.read(lambda c: logins.get(c, login_id))
            if login is None or enough(login) or monotonic() > until:
                return login
            await asyncio.sleep(LOOK_EVERY)
