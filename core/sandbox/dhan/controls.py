"""What the owner of the paper account can switch: kill switch, DDPI, data plan, consent to single sales. In memory."""

from dataclasses import dataclass, field


@dataclass
class Controls:
    """`approved` are shares by ISIN that may be sold without DDPI, by T-PIN."""

    is_stopped: bool = False
    has_ddpi: bool = True
    has_data_plan: bool = False
    approved: dict[str, int] = field(default_factory=dict[str, int])
