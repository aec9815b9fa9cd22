"""The instrument file: how long 240,000 rows take to load and how much memory, and what one look-up costs.

Runs in a process of its own, so that only its memory counts: `python -m tests.bench.instruments FOLDER`.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from statistics import median

from core.broker.dhan.instruments import InstrumentList
from core.domain.alert import Exchange, InstrumentKind, Leg, OptionContract, OptionType, OrderType, Product, Side
from core.sandbox.dhan.instruments import DETAILED_HEADER
from tests.bench.ground import Ground
from tests.bench.table import Measured

ROWS = 240_000
SHARES, OPTIONS = 47_000, 190_000
TODAY = date(2026, 11, 25)
LOOK_UPS = 2_000


def instruments(ground: Ground) -> Generator[Measured]:
    found = [_in_its_own_process(ground.scratch) for _ in range(ground.rounds)]
    seconds, mib, share, future, option = ([round_[place] for round_ in found] for place in range(5))
    yield Measured(target="instruments-seconds", values=seconds, note=f"{ROWS} rows of the detailed file")
    yield Measured(target="instruments-mib", values=mib)
    slowest = max((share, future, option), key=median)
    each = ", ".join(
        f"{name} {median(took):.0f}" for name, took in (("share", share), ("future", future), ("option", option))
    )
    yield Measured(target="instruments-look-up", values=slowest, note=f"µs: {each}")


def _in_its_own_process(folder: Path) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.instruments", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(figure) for figure in done.stdout.split()]


def rows() -> Iterator[str]:
    """Shares, futures and option chains in about the real file's proportions."""
    flags = "N,N,N,NA,A,0,0,0,0,0,0,0"
    for number in range(SHARES):
        name = f"SHARE{number}"
        yield f"NSE,E,{number},INE{number:09d},EQUITY,{number},{name},{name} LTD,{name},ES,EQ,1.0,,,,10.0000,NA,{flags},1200.5,800.5,100001,"
    for number in range(ROWS - SHARES - OPTIONS):
        underlying, month = f"SHARE{number // 3}", number % 3
        expiry = TODAY + timedelta(days=6 + 28 * month)
        symbol = f"{underlying}-{expiry:%b%Y}-FUT"
        yield f"NSE,D,{100_000 + number},NA,FUTSTK,1,{underlying},{symbol},{symbol},FUT,NA,500.0,{expiry},-0.01,XX,10.0000,M,{flags},0,0,20001,"
    for number in range(OPTIONS):
        underlying, place = f"SHARE{number // 950}", number % 950
        expiry = TODAY + timedelta(days=6 + 7 * (place // 190))
        strike, side = 1000 + place % 190 // 2 * 50, "CE" if place % 2 else "PE"
        symbol = f"{underlying}-{expiry:%b%Y}-{strike}-{side}"
        yield f"NSE,D,{200_000 + number},NA,OPTSTK,1,{underlying},{symbol},{symbol},OP,NA,500.0,{expiry},{strike}.00000,{side},5.0000,W,{flags},20.1,0.05,20001,"


def main(folder: Path) -> None:
    source = folder / "detailed.csv"
    if not source.exists():
        with source.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in chain([DETAILED_HEADER], rows()))
    listed = InstrumentList(folder / "instruments.db", least={})
    before = _peak_mib()
    started = time.monotonic()
    loaded = listed.load(source, TODAY)
    took = time.monotonic() - started
    assert loaded.rows == ROWS, loaded
    grown = _peak_mib() - before
    looked_up = [_each(lambda leg=leg: listed.resolve(leg, TODAY)) for leg in _legs()]
    print(took, grown, *looked_up)
    listed.close()


def _legs() -> list[Leg]:
    contract = OptionContract(option_type=OptionType.CALL, strike=Decimal(3000), expiry=TODAY + timedelta(days=13))
    return [
        _leg("SHARE7", InstrumentKind.EQUITY),
        _leg("SHARE72!", InstrumentKind.FUTURE),
        _leg("SHARE7", InstrumentKind.OPTION, contract),
    ]


def _leg(symbol: str, kind: InstrumentKind, option: OptionContract | None = None) -> Leg:
    return Leg(
        position=1,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=1,
        exchange=Exchange.NSE,
        symbol=symbol,
        kind=kind,
        product=Product.INTRADAY,
        option=option,
    )


def _each(look_up: Callable[[], object]) -> float:
    """Microseconds of one look-up, the median of many."""
    times: list[float] = []
    for _ in range(LOOK_UPS):
        started = time.perf_counter()
        look_up()
        times.append(time.perf_counter() - started)
    return median(times) * 1e6


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
