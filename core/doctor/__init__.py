"""A look over the whole desk from the outside: every check is one finding, and none of them changes anything.

It works while the desk runs and while it does not: it signs in nowhere, takes no lease, and sends no order.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at and how it is. `fix` says what to do, and makes the finding a bad one."""

    subject: str
    words: str
    fix: str = ""

    @property
    def is_bad(self) -> bool:
        return bool(self.fix)


Check = Callable[[], Finding]
