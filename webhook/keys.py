"""Which source a key in the path opens. Keys are kept in memory as hashes and read anew all the time."""

import asyncio
import hmac
from collections import Counter

import structlog

from core.clock import monotonic
from core.db import sources
from core.db.engine import Database
from core.db.sources import Key
from core.errors import Unavailable

log = structlog.get_logger()

READ_EVERY = 0.5
"""Seconds; a key that is retired opens nothing after that."""

READ_AT_MOST_EVERY = 0.05
"""Seconds: a key that nobody knows may be a moment old, or a guess: it waits, so that guesses cost little."""


class Keys:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: list[Key] = []
        self._read_at = -READ_EVERY
        self._reading = asyncio.Lock()
        self._late: Counter[int] = Counter()

    async def find(self, given: str) -> Key | None:
        """The key that is meant, unless it is retired. Raises Unavailable."""
        digest, came = sources.hash_of(given), monotonic()
        found = self._among_known(digest)
        if found is None or found.retired_at is not None:
            await asyncio.sleep(max(self._read_at + READ_AT_MOST_EVERY - came, 0))
            async with self._reading:
                if self._read_at < came:
                    await self._read()
            found = self._among_known(digest)
        if found is not None and found.retired_at is not None:
            self._late[found.id] += 1
            return None
        return found

    async def watch(self) -> None:
        """Follow what the desk changes, and note which retired keys are still used."""
        while True:
            try:
                await self._read()
                await self._note_late_uses()
            except Unavailable as trouble:
                log.warning("keys_not_read", why=str(trouble))
            await asyncio.sleep(READ_EVERY)

    async def _read(self) -> None:
        began = monotonic()
        self._known = await self._database.read(sources.all_keys)
        self._read_at = began

    async def _note_late_uses(self) -> None:
        if self._late:
            late, self._late = self._late, Counter()
            try:
                await self._database.write(lambda connection: sources.count_late_uses(connection, late))
            except Unavailable:
                self._late.update(late)
                raise

    def _among_known(self, digest: str) -> Key | None:
        """Every key is compared, in the same time whatever was given."""
        same = [key for key in self._known if hmac.compare_digest(key.hash, digest)]
        return same[0] if same else None
