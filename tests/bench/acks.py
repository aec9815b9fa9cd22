"""How fast and how surely alerts are acknowledged. The desk is not running unless the name says so.

Web runs as it does live: a paper desk's clock can be moved, and asks a file at each look.
"""

from collections.abc import Generator, Iterable, Sequence
from statistics import median

from tests.bench.ground import Ground
from tests.bench.load import Result
from tests.bench.slow_disk import STUCK, slow_disk
from tests.bench.table import Measured, quantile

SENDER_GIVES_UP = 3.0  # seconds; TradingView's patience
BURST = 1_000
FLOOD = 6_000


def acks(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi(is_live=True)
    with munshi.web():
        ground.load(munshi.port, 16)
        for connections in (64, 16, 1):
            reference, ours = _rounds(ground, munshi.port, connections)
            yield _rates(f"acks-{connections}", reference, ours)
            if connections == 16:
                yield _p99s(reference, ours)


def burst(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi(is_live=True)
    with munshi.web():
        yield from _burst(ground, munshi.port, "burst")


def slow(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi(is_live=True)
    with munshi.web(**slow_disk(ground.scratch)):
        ground.load(munshi.port, 16)
        for connections in (64, 200):
            reference, ours = _rounds(ground, munshi.port, connections)
            yield _rates(f"slow-{connections}", reference, ours)
        yield from _burst(ground, munshi.port, "slow-burst")


def overload(ground: Ground) -> Generator[Measured]:
    """More alerts at once than a disk can take that is stuck for a quarter second at each sync."""
    munshi = ground.munshi(is_live=True)
    with munshi.web(**slow_disk(ground.scratch, STUCK)):
        its = ground.load(ground.reference_port, FLOOD, once=True)
        flood = ground.load(munshi.port, FLOOD, once=True)
    turned_away = flood.statuses.get("503", 0)
    note = (
        f"{FLOOD} at once: {flood.statuses}, {flood.failed} failed, slowest {flood.latencies[-1]:.1f} s; "
        f"the reference's slowest {its.latencies[-1]:.1f} s"
    )
    if turned_away:
        yield Measured(target="overload-503", values=[flood.slowest["503"]], note=note)
    yield Measured(target="overload-late", values=[_late(flood)], note=note)


def while_the_desk_works(ground: Ground) -> Generator[Measured]:
    munshi = ground.munshi()
    with munshi.broker(), munshi.web():
        ground.load(munshi.port, 16)

        def beside_the_desk() -> Result:
            with munshi.desk("tests.bench.desk", "paced"):
                return ground.load(munshi.port, 16)

        alone, beside = ground.in_turns(lambda: ground.load(munshi.port, 16), beside_the_desk)
    ratios = [_p99(b) / _p99(a) for a, b in zip(alone, beside, strict=True)]
    note = (
        f"{_ms(_p99(b) for b in beside)} against {_ms(_p99(a) for a in alone)} ms; "
        f"{median(b.rate for b in beside):.0f}/s against {median(a.rate for a in alone):.0f}/s"
    )
    yield Measured(target="desk-p99", values=ratios, note=note)


def _rounds(ground: Ground, port: int, connections: int) -> tuple[list[Result], list[Result]]:
    return ground.in_turns(
        lambda: ground.load(ground.reference_port, connections), lambda: ground.load(port, connections)
    )


def _rates(target: str, reference: Sequence[Result], ours: Sequence[Result]) -> Measured:
    ratios = [our.rate / its.rate for its, our in zip(reference, ours, strict=True)]
    bad = sum(our.failed + len(our.latencies) - our.acks for our in ours)
    note = f"{median(our.rate for our in ours):.0f}/s against {median(its.rate for its in reference):.0f}/s"
    return Measured(target=target, values=ratios, note=f"{note}, {bad} not acked" if bad else note)


def _p99s(reference: Sequence[Result], ours: Sequence[Result]) -> Measured:
    ratios = [_p99(our) / _p99(its) for its, our in zip(reference, ours, strict=True)]
    note = f"{_ms(_p99(our) for our in ours)} against {_ms(_p99(its) for its in reference)} ms"
    return Measured(target="p99-16", values=ratios, note=note)


def _burst(ground: Ground, port: int, target: str) -> Generator[Measured]:
    reference, ours = ground.in_turns(
        lambda: ground.load(ground.reference_port, BURST, once=True), lambda: ground.load(port, BURST, once=True)
    )
    ratios = [our.seconds / its.seconds for its, our in zip(reference, ours, strict=True)]
    note = f"{_ms(our.seconds for our in ours)} against {_ms(its.seconds for its in reference)} ms"
    yield Measured(target=target, values=ratios, note=note)
    yield Measured(target=f"{target}-late", values=[sum(map(_late, ours))], note=f"of {BURST * len(ours)}")


def _late(result: Result) -> int:
    return result.failed + sum(latency > SENDER_GIVES_UP for latency in result.latencies)


def _p99(result: Result) -> float:
    return quantile(result.latencies, 0.99)


def _ms(seconds: Iterable[float]) -> str:
    return f"{median(seconds) * 1000:.1f}"
