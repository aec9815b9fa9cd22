"""The writes of a process: one transaction at a time, and whatever waits goes into it together.

A thousand alerts cost a few syncs, not a thousand. Statements run on the event loop, where they share the interpreter
with nobody; a slow disk and another process's lock are waited for beside it. A work is a plain function: it cannot
await, so between BEGIN and the commit nothing else of this process runs.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Any, TypeVar

from sqlalchemy import Connection

from core.clock import monotonic
from core.db.store import Store
from core.db.trouble import CommitInDoubt, DatabaseUnavailable, words_for_trouble

T = TypeVar("T")
Work = Callable[[Connection], T]
GroupWork = Callable[[Connection, Sequence[Any]], Sequence[Any]]
Outcome = Any

MOST_PER_COMMIT = 1024
QUIET_TURNS = 2


@dataclass(slots=True)
class _Job:
    group: GroupWork | None
    item: Any
    future: asyncio.Future[Any]


class Writer:
    """Takes works in their order.

    `patience`: seconds that it waits for another process's lock; `quick`: seconds of a commit that the loop waits for.
    """

    def __init__(self, store: Store, *, patience: float, quick: float) -> None:
        self._store = store
        self._patience = patience
        self._quick = quick
        self._line: deque[_Job] = deque()
        self._after_commit: list[Callable[[], None]] = []
        self._connection: Connection | None = None
        self._working: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")
        self._last_sync = inf
        self._was_shared = False
        self._turn_is_taken = False
        self._closed = False

    @property
    def backlog(self) -> int:
        """Works that wait for a transaction."""
        return len(self._line)

    async def run(self, group: GroupWork | None, item: Any) -> Any:
        """The result of the work `item`, or of `group` for this item, once it is committed. Raises what it raised."""
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        if self._comes_alone(loop) and (connection := self._begun_at_once()):
            return self._serve(connection, item if group is None else lambda c: group(c, [item])[0])
        job = _Job(group, item, loop.create_future())
        self._line.append(job)
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work_off())
        return await job.future

    def after_commit(self, step: Callable[[], None]) -> None:
        """From inside a work: do this once it is committed, and not at all when it is undone."""
        self._after_commit.append(step)

    def close(self) -> None:
        """Let the commit under way end. Works that had not begun are told that they were not done."""
        self._closed = True
        while self._line:
            _settle(self._line.popleft(), DatabaseUnavailable("the database was closed before"))
        self._disk.shutdown()
        if self._connection:
            self._connection.close()

    def _comes_alone(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it is not worth waiting for others, nor for a thread. One a turn, so that the loop goes on."""
        if self._turn_is_taken:
            self._was_shared = True
            return False
        self._turn_is_taken = True
        loop.call_soon(self._let_next_turn)
        return not self._was_shared and self._last_sync < self._quick

    def _let_next_turn(self) -> None:
        self._turn_is_taken = False

    def _begun_at_once(self) -> Connection | None:
        """The kept connection in a transaction; None where others are being served on it, or another process writes."""
        kept = self._connection
        if kept is None:
            return None
        try:
            with words_for_trouble():
                has_begun = self._store.begin_at_once(kept)
        except BaseException:
            self._connection = None
            self._discard(kept)
            raise
        if not has_begun:
            return None
        self._connection = None
        return kept

    def _serve(self, connection: Connection, work: Work[Any]) -> Any:
        """The whole transaction without a task of its own, which would take longer than the rest."""
        self._after_commit.clear()
        with words_for_trouble(), self._kept(connection):
            outcome = work(connection)
            self._last_sync = self._sync(connection)
        for step in self._after_commit:
            step()
        return outcome

    async def _work_off(self) -> None:
        while self._line:
            if self._was_shared and self._last_sync < self._quick:
                await self._gather()
            jobs = [self._line.popleft() for _ in range(min(len(self._line), MOST_PER_COMMIT))]
            self._was_shared = len(jobs) > 1
            for job, outcome in await self._commit_together(jobs):
                _settle(job, outcome)

    async def _gather(self) -> None:
        """While several come at a time, whoever is about to come shares the commit: it costs more than a turn.

        Not behind a slow disk: during one commit come those of the next, and both move on by turns.
        """
        seen = quiet = 0
        while quiet < QUIET_TURNS and len(self._line) < MOST_PER_COMMIT:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._line) == seen else 0
            seen = len(self._line)

    async def _commit_together(self, jobs: list[_Job]) -> list[tuple[_Job, Outcome]]:
        self._after_commit.clear()
        try:
            async with self._transaction() as connection:
                outcomes = self._run_all(connection, jobs)
            for step in self._after_commit:
                step()
        except Exception as trouble:  # noqa: BLE001 - handed to the callers, each of whom raises it
            return [(job, trouble) for job in jobs]
        else:
            return outcomes

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Connection]:
        """On the one connection that is kept; one that failed is never used again."""
        with words_for_trouble():
            connection = await self._begin()
            with self._kept(connection):
                yield connection
                await self._commit(connection)

    @contextmanager
    def _kept(self, connection: Connection) -> Generator[None]:
        """For the next transaction, unless this one fails."""
        try:
            yield
        except BaseException:
            self._discard(connection)
            raise
        if self._closed:
            connection.close()
        else:
            self._connection = connection

    async def _begin(self) -> Connection:
        """Where the kept connection has died meanwhile, on a new one: nothing was done on it yet."""
        kept, self._connection = self._connection, None
        if kept:
            try:
                return await self._begin_on(kept)
            except Exception as trouble:
                if not self._store.has_gone(trouble):
                    raise
        return await self._begin_on(self._connect())

    async def _begin_on(self, connection: Connection) -> Connection:
        try:
            await self._store.begin_in_turn(connection, self._patience, self._disk)
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _connect(self) -> Connection:
        connection = self._store.engine.connect()
        connection.detach()
        self._store.prepare(connection)
        return connection

    async def _commit(self, connection: Connection) -> None:
        """A disk that was quick last time is waited for here: a thread takes longer to wake than it to write."""
        if self._last_sync < self._quick:
            self._last_sync = self._sync(connection)
        else:
            loop = asyncio.get_running_loop()
            self._last_sync = await loop.run_in_executor(self._disk, self._sync, connection)

    def _sync(self, connection: Connection) -> float:
        """COMMIT; returns its seconds."""
        began = monotonic()
        try:
            self._store.commit(connection, self._patience)
        except connection.dialect.loaded_dbapi.Error as error:
            raise CommitInDoubt(f"the commit failed: {error}") from error
        took = monotonic() - began
        connection.commit()  # the driver has nothing left to do; the toolkit closes its books
        return took

    def _discard(self, connection: Connection) -> None:
        """Closing undoes. It waits its turn behind a commit that was left alone on the thread."""
        if self._closed:
            connection.close()
        else:
            self._disk.submit(connection.close)

    def _run_all(self, connection: Connection, jobs: list[_Job]) -> list[tuple[_Job, Outcome]]:
        outcomes: list[tuple[_Job, Outcome]] = []
        for group, members in groupby(jobs, key=lambda job: job.group):
            together = list(members)
            if group is None:
                outcomes += [(job, self._attempt(connection, job.item, alone=len(jobs) == 1)) for job in together]
            else:
                results = self._attempt(connection, _bound(group, together), alone=len(jobs) == len(together))
                spread = [results] * len(together) if isinstance(results, Exception) else results
                outcomes += list(zip(together, spread, strict=True))
        return outcomes

    def _attempt(self, connection: Connection, work: Work[Any], *, alone: bool) -> Outcome:
        """The work's result, or the exception that undid it. Alone in its transaction it needs no savepoint."""
        if alone:
            return work(connection)
        before = len(self._after_commit)
        savepoint = connection.begin_nested()
        try:
            with words_for_trouble():
                result = work(connection)
        except Exception as trouble:
            if connection.invalidated:  # nothing is left of anybody's work
                raise DatabaseUnavailable("the connection to the database was lost") from trouble
            savepoint.rollback()
            del self._after_commit[before:]
            return trouble
        savepoint.commit()
        return result


def _bound(group: GroupWork, jobs: list[_Job]) -> Work[Sequence[Any]]:
    return lambda connection: group(connection, [job.item for job in jobs])


def _settle(job: _Job, outcome: Outcome) -> None:
    if job.future.done():  # the caller gave up
        return
    if isinstance(outcome, Exception):
        job.future.set_exception(outcome)
    else:
        job.future.set_result(outcome)
