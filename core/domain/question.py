"""What the operator is asked a second time before it happens."""

from enum import StrEnum


class Question(StrEnum):
    MODIFY = "modify"
    FLATTEN = "flatten"
    KILL_SWITCH = "kill_switch"
    EDIT = "edit"
    APPROVE_ALL = "approve_all"
    CANCEL_ALL = "cancel_all"
    LOOSEN = "loosen"
    GO_LIVE = "go_live"
    UNKILL = "unkill"
    SOURCE = "source"
