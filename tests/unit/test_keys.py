"""Keys in the path of the webhook: a key that is a moment old opens, however many bring it at the same time."""

import asyncio
from pathlib import Path

from core import sources
from core.db.engine import Database
from core.db.writer import T, Work
from tests.builders import NOON, fresh_address
from webhook.keys import Keys


class OnAThread(Database):
    """Reads as where a reader may wait for a writer: off the event loop."""

    async def read(self, work: Work[T]) -> T:
        return await asyncio.to_thread(self._read, work)


async def test_everybody_who_brings_a_new_key_while_it_is_being_read_is_let_in(tmp_path: Path) -> None:
    database = OnAThread(fresh_address(tmp_path))
    keys = Keys(database)
    assert await keys.find("nobody's") is None
    with database.transaction() as connection:
        _, key = sources.add(connection, "swing", at=NOON, actor="operator 42")
    found = await asyncio.gather(*(keys.find(key) for _ in range(20)))
    assert None not in found
    database.close()
