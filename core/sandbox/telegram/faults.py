"""Faults that a test scripts: the network and Telegram at their worst."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.clock import monotonic


class FaultKind(StrEnum):
    DOWN = "down"  # the connection breaks and nothing was done
    STATUS = "status"  # an HTTP error, nothing was done
    RETRY_AFTER = "retry_after"  # 429, nothing was done
    DROP_AFTER = "drop_after"  # it was done, and the answer is lost
    HANG = "hang"  # nothing is done, and the answer takes its time before the connection breaks


@dataclass
class Fault:
    """`method` None means every method, and `text` "" every text. Ends after `times` calls, or at `until` (monotonic
    seconds)."""

    kind: FaultKind
    method: str | None
    text: str
    times: int | None
    until: float | None
    seconds: float
    status: int

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Fault":
        """Raises KeyError or ValueError for a fault that does not exist.

        `seconds` is how long a `down` lasts and a `hang` hangs, and the wish of a `retry_after`.
        """
        kind = FaultKind(body["kind"])
        seconds = float(body.get("seconds", 1))
        lasting = kind is FaultKind.DOWN and "seconds" in body
        return cls(
            kind=kind,
            method=body.get("method"),
            text=body.get("text", ""),
            times=body.get("times", None if lasting else 1),
            until=monotonic() + seconds if lasting else None,
            seconds=seconds,
            status=int(body.get("status", 502)),
        )

    def strikes(self, method: str, text: str) -> bool:
        return (self.method is None or self.method.lower() == method.lower()) and self.text in text

    def is_over(self) -> bool:
        return self.times == 0 or (self.until is not None and monotonic() >= self.until)


class Faults:
    def __init__(self, on_change: Callable[[], None]) -> None:
        self._waiting: list[Fault] = []
        self._on_change = on_change

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)
        self._on_change()

    def clear(self) -> None:
        self._waiting.clear()

    def next_for(self, method: str, text: str) -> Fault | None:
        """The fault that strikes this call, counted as used."""
        self._waiting = [fault for fault in self._waiting if not fault.is_over()]
        for fault in self._waiting:
            if fault.strikes(method, text):
                fault.times = None if fault.times is None else fault.times - 1
                return fault
        return None
