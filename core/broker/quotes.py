"""What the desk asks of a broker about prices. Nothing may hang on an answer: most accounts have no data plan."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from core.domain.instrument import Segment

Name = tuple[Segment, str]
"""A segment and a security id, which is unique only within it."""


class Quotes(Protocol):
    @property
    def may_tell(self) -> bool:
        """Whether asking can bring a price: no data plan, or no answer just now, speaks against it."""
        ...

    async def last_price(self, instruments: Iterable[Name]) -> Mapping[Name, Decimal]:
        """The last traded prices in rupees, of those that the broker tells; whatever it lacks is left out.

        Waits for its turn, since the broker counts these calls. Never raises for what the network or the broker does.
        """
        ...
