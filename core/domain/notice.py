"""The kinds of messages that ring."""

from enum import StrEnum


class Notice(StrEnum):
    """Their payloads carry plain facts; the console finds the words."""

    FILLED = "filled"
    PART_FILLED = "part_filled"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs_operator"
    FOUND = "found"
    CONFLICT = "conflict"
    NOT_CHANGED = "not_changed"
    MORNING = "morning"
    INSTRUMENTS = "instruments"
    HELD = "held"
    BLIND = "blind"
    SIGN_IN = "sign_in"
    DESK_STARTED = "desk_started"
    REMINDER = "reminder"
    BLOCKED = "blocked"
    CALENDAR = "calendar"
    CLOCK = "clock"
    SECOND_POLLER = "second_poller"
    ALERT_FAILED = "alert_failed"
    TRUST = "trust"
    SILENT = "silent"
    OLD_KEY = "old_key"
