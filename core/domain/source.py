"""Where alerts come from, and how far each source is trusted."""

from enum import StrEnum


class IdenticalAlerts(StrEnum):
    """What to do with a body identical to one answered within the last minute: it may be an intended second order."""

    ASK = "ask"
    ACCEPT = "accept"
    FOLD = "fold"
