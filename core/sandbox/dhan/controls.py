"""What the owner of the paper account can switch: the kill switch, DDPI, and consent to single sales. In memory."""

from dataclasses import dataclass, field


@dataclass
class Controls:
    """`approved` are shares by ISIN that may be sold without DDPI, by T-PIN."""

    is_stopped: bool = False
    has_ddpi: bool = True
    approved: dict[str, int] = field(default_factory=dict[str, int])
