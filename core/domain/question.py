"""What the operator is asked a second time before it happens."""

from enum import StrEnum


class Question(StrEnum):
    MODIFY = "modify"
    FLATTEN = "flatten"
    KILL_SWITCH = "kill_switch"
    SOURCE = "source"
