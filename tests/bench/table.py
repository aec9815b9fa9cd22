"""What is aimed at, and the table that sets it beside what was measured. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Target:
    """`floor` must be kept, `goal` is aimed at. Where more is better `goal` lies above `floor`."""

    what: str
    floor: float
    goal: float
    unit: str = "×"

    @property
    def more_is_better(self) -> bool:
        return self.goal > self.floor

    def verdict(self, value: float) -> str:
        if self._keeps(value, self.goal):
            return "goal"
        return "floor" if self._keeps(value, self.floor) else "MISSED"

    def _keeps(self, value: float, limit: float) -> bool:
        return value >= limit if self.more_is_better else value <= limit


TARGETS = {
    "acks-64": Target(what="durable acks/s ÷ reference, 64 connections", floor=0.80, goal=1.0),
    "acks-16": Target(what="durable acks/s ÷ reference, 16 connections", floor=0.70, goal=0.9),
    "acks-1": Target(what="durable acks/s ÷ reference, 1 connection", floor=0.30, goal=0.4),
    "p99-16": Target(what="ack p99 ÷ reference p99, 16 connections", floor=2.0, goal=1.2),
    "burst": Target(what="1,000 fresh connections: last ack ÷ reference", floor=2.0, goal=1.0),
    "burst-late": Target(what="1,000 fresh connections: acks over 3 s or missing", floor=0, goal=0, unit=""),
    "slow-64": Target(what="slow disk: acks/s ÷ reference, 64 connections", floor=0.40, goal=0.6),
    "slow-200": Target(what="slow disk: acks/s ÷ reference, 200 connections", floor=0.60, goal=1.0),
    "slow-burst": Target(what="slow disk: 1,000 fresh connections, last ack ÷ reference", floor=2.0, goal=1.0),
    "slow-burst-late": Target(what="slow disk: acks over 3 s or missing", floor=0, goal=0, unit=""),
    "overload-503": Target(what="past capacity: slowest 503", floor=1.0, goal=1.0, unit=" s"),
    "overload-late": Target(what="past capacity: answers over 3 s or missing", floor=0, goal=0, unit=""),
    "slow-clients": Target(what="an alert among 300 slow clients", floor=150, goal=50, unit=" ms"),
    "order": Target(what="alert → order read by broker, p50 ÷ direct call", floor=4, goal=2.5),
    "order-console": Target(what="the same with the Telegram console", floor=4, goal=2.5),
    "command-p99": Target(what="command → first reply p99, 64 alerts/s arriving", floor=50, goal=50, unit=" ms"),
    "orders-64": Target(what="64 alerts at once, last order ÷ 64 direct calls", floor=3, goal=1.5),
    "drain": Target(what="queue drained at the broker's limits ÷ theory", floor=1.02, goal=1.01),
    "drain-429": Target(what="refusals for haste while draining", floor=0, goal=0, unit=""),
    "drain-500": Target(what="10,000 due orders at 500/s ÷ theory", floor=1.015, goal=1.01),
    "drain-500-429": Target(what="refusals for haste at 500/s", floor=0, goal=0, unit=""),
    "desk-p99": Target(what="ack p99 while the desk works ÷ while it does not", floor=2.0, goal=1.3),
    "instruments-seconds": Target(what="instrument file, 240,000 rows", floor=2.5, goal=1.8, unit=" s"),
    "instruments-mib": Target(what="the same, memory on top", floor=60, goal=30, unit=" MiB"),
    "instruments-look-up": Target(what="one look-up", floor=100, goal=30, unit=" µs"),
    "start-web": Target(what="start → ready, web", floor=1.5, goal=0.8, unit=" s"),
    "start-desk": Target(what="start → ready, desk", floor=1.5, goal=0.8, unit=" s"),
    "idle": Target(what="resident when idle, web + desk", floor=160, goal=140, unit=" MiB"),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`values` has one figure per round; `note` says what lies behind the ratio, in absolute terms."""

    target: str
    values: Sequence[float]
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.values)


def quantile(latencies: Sequence[float], part: float) -> float:
    """The latency that `part` of the requests kept; `latencies` is sorted and not empty."""
    return latencies[min(len(latencies) - 1, int(part * len(latencies)))]


def rows(measured: Iterable[Measured]) -> list[tuple[str, ...]]:
    """Header first; one row per figure."""
    table: list[tuple[str, ...]] = [("what", "measured", "rounds", "floor", "goal", "verdict", "behind it")]
    for figure in measured:
        target = TARGETS[figure.target]
        spread = f"{_shown(min(figure.values))}–{_shown(max(figure.values))}" if len(figure.values) > 1 else ""
        table.append(
            (
                target.what,
                f"{_shown(figure.value)}{target.unit}",
                spread,
                _shown(target.floor),
                _shown(target.goal),
                target.verdict(figure.value),
                figure.note,
            )
        )
    return table


def aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _shown(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
