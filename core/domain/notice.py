"""The kinds of messages that ring, and how loudly each operator wants to hear of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from enum import StrEnum


class Notice(StrEnum):
    """Their payloads carry plain facts; the console finds the words."""

    FILLED = "filled"
    PART_FILLED = "part_filled"
    RESTING = "resting"
    FILL_NOT_SHOWN = "fill_not_shown"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs_operator"
    FOUND = "found"
    UNSEEN = "unseen"
    CONFLICT = "conflict"
    NOT_CHANGED = "not_changed"
    MORNING = "morning"
    INSTRUMENTS = "instruments"
    HELD = "held"
    BLIND = "blind"
    SIGN_IN = "sign_in"
    SIGNED_IN = "signed_in"
    DESK_STARTED = "desk_started"
    REMINDER = "reminder"
    BLOCKED = "blocked"
    CROWDED = "crowded"
    CALENDAR = "calendar"
    CLOCK = "clock"
    SECOND_POLLER = "second_poller"
    ALERT_FAILED = "alert_failed"
    TRUST = "trust"
    SILENT = "silent"
    OLD_KEY = "old_key"
    TURNED_AWAY = "turned_away"
    READINESS = "readiness"
    DAY = "day"
    SUMMARY = "summary"


STAND_ALONE = (Notice.MORNING, Notice.READINESS, Notice.DAY, Notice.SIGN_IN, Notice.SIGNED_IN, Notice.SUMMARY)
"""Reports, and what carries a link or puts it away, stay messages of their own: no summary takes them in."""


class Topic(StrEnum):
    """What an operator turns on, silent or off; several kinds of messages each."""

    FILLS = "fills"
    REJECTIONS = "rejections"
    DOUBTS = "doubts"
    MISSED = "missed"
    TROUBLE = "trouble"
    CANCELLED = "cancelled"
    REMINDERS = "reminders"
    REPORTS = "reports"
    NEWS = "news"

    @property
    def may_be_off(self) -> bool:
        return self in _MAY_BE_OFF

    @property
    def rings_at_night(self) -> bool:
        """Nobody but a person can settle it, so quiet hours do not hush it."""
        return self in (Topic.DOUBTS, Topic.TROUBLE)


_MAY_BE_OFF = frozenset({Topic.CANCELLED, Topic.REMINDERS, Topic.REPORTS, Topic.NEWS})
_TOPICS = {
    Notice.FILLED: Topic.FILLS,
    Notice.PART_FILLED: Topic.FILLS,
    Notice.REJECTED: Topic.REJECTIONS,
    Notice.ALERT_FAILED: Topic.REJECTIONS,
    Notice.TRUST: Topic.REJECTIONS,
    Notice.TURNED_AWAY: Topic.REJECTIONS,
    Notice.RESTING: Topic.DOUBTS,
    Notice.FILL_NOT_SHOWN: Topic.DOUBTS,
    Notice.UNKNOWN: Topic.DOUBTS,
    Notice.NEEDS_OPERATOR: Topic.DOUBTS,
    Notice.FOUND: Topic.DOUBTS,
    Notice.UNSEEN: Topic.DOUBTS,
    Notice.CONFLICT: Topic.DOUBTS,
    Notice.NOT_CHANGED: Topic.DOUBTS,
    Notice.EXPIRED: Topic.MISSED,
    Notice.LAPSED: Topic.MISSED,
    Notice.CANCELLED: Topic.CANCELLED,
    Notice.CHANGED: Topic.CANCELLED,
    Notice.REMINDER: Topic.REMINDERS,
    Notice.MORNING: Topic.REPORTS,
    Notice.READINESS: Topic.REPORTS,
    Notice.DAY: Topic.REPORTS,
    Notice.SILENT: Topic.TROUBLE,
    Notice.OLD_KEY: Topic.TROUBLE,
    Notice.SECOND_POLLER: Topic.TROUBLE,
    Notice.DESK_STARTED: Topic.NEWS,
    Notice.SIGNED_IN: Topic.NEWS,
    Notice.CALENDAR: Topic.NEWS,
    Notice.INSTRUMENTS: Topic.NEWS,
}


def topic_of(kind: Notice) -> Topic:
    """What nobody sorted counts as trouble, which is never off."""
    return _TOPICS.get(kind, Topic.TROUBLE)


class Loudness(StrEnum):
    ON = "on"
    SILENT = "silent"
    OFF = "off"


_NEVER_OFF = "{topic} are never off: silence about them costs money. Silent is as quiet as they get."


@dataclass(frozen=True, kw_only=True)
class Loudnesses:
    """What one operator wants to hear. `quiet` is a span of India time, which may run past midnight."""

    topics: Mapping[Topic, Loudness] = field(default_factory=dict[Topic, Loudness])
    quiet: tuple[time, time] | None = None

    def of(self, topic: Topic) -> Loudness:
        wished = self.topics.get(topic, Loudness.ON)
        return Loudness.SILENT if wished is Loudness.OFF and not topic.may_be_off else wished

    def is_off(self, kind: Notice) -> bool:
        return self.of(topic_of(kind)) is Loudness.OFF

    def is_silent(self, kind: Notice, clock: time) -> bool:
        """Whether it comes without a sound at that India time."""
        topic = topic_of(kind)
        return self.of(topic) is not Loudness.ON or (self.is_quiet(clock) and not topic.rings_at_night)

    def is_quiet(self, clock: time) -> bool:
        if self.quiet is None:
            return False
        begins, ends = self.quiet
        return begins <= clock < ends if begins < ends else clock >= begins or clock < ends

    def wish(self, topic: Topic, loudness: Loudness) -> "Loudnesses":
        """Raises ValueError for an off that is not to be had."""
        if loudness is Loudness.OFF and not topic.may_be_off:
            raise ValueError(_NEVER_OFF.format(topic=topic.capitalize()))
        return replace(self, topics={**self.topics, topic: loudness})
