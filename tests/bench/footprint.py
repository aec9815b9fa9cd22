"""How soon the processes are ready and what they weigh when idle: the product as it is started, beside its sandbox.

The development tools make them heavier: `MUNSHI_PYTHON` names an interpreter that has only what users have.
"""

import time
from collections.abc import Generator
from contextlib import ExitStack
from statistics import median

from tests.bench.ground import Ground
from tests.bench.processes import running
from tests.bench.product import Munshi
from tests.bench.table import Measured

SETTLED = 1.0


def footprint(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi()
    with ExitStack() as processes:
        processes.enter_context(munshi.broker())
        processes.enter_context(munshi.sandbox())
        starts = [_start(munshi) for _ in range(ground.rounds)]
    web, desk, weight, its_web = zip(*starts, strict=True)
    yield Measured(target="start-web", values=web, note="to the first answer")
    yield Measured(target="start-desk", values=desk, note="until orders may go out; the first time with signing in")
    yield Measured(target="idle", values=weight, note=f"web {median(its_web):.0f} MiB")


def _start(munshi: Munshi) -> tuple[float, float, float, float]:
    """Seconds until web answered and the desk opened for business, and what both weigh then, in MiB."""
    with running(munshi.process("webhook")) as web:
        web_ready = web.wait_for_page(munshi.port, "/ready", 200, 503)
        opened = munshi.times_opened()
        with running(munshi.process("bot")) as desk:
            desk_ready = desk.wait_until(lambda: munshi.times_opened() > opened)
            time.sleep(SETTLED)
            return web_ready, desk_ready, web.resident + desk.resident, web.resident
