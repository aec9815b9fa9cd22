"""The desk's errors, split by what the caller should do about them.

DeskError
├── Refusal            tell the person: the message is one safe sentence with the next step
│   ├── AlertRefused   the alert's text is at fault; carries every mistake found
│   ├── StaleTap       the card changed under the finger
│   └── AskTwice       it may be done, after a second step
├── Unavailable        try again later; nothing was done
│   ├── BrokerUnavailable
│   └── TelegramUnavailable
├── SignInNeeded       orders wait, nothing is burnt
└── BadSettings        refuse to start; one line per fault
"""


class DeskError(Exception):
    """Base of everything that the desk raises on purpose."""


class Refusal(DeskError):
    """Our own rule says no. The text is shown to the operator as it stands."""


class AlertRefused(Refusal):
    """The alert cannot be understood. `mistakes` are sentences, the first one most worth reading."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__(" ".join(mistakes))
        self.mistakes = mistakes


class StaleTap(Refusal):
    """The button belongs to an older version of its card."""


class AskTwice(Refusal):
    """Not yet: the operator is shown this once more before he says yes."""


class Unavailable(DeskError):
    """A neighbour did not answer in a way that proves anything."""


class BrokerUnavailable(Unavailable):
    """A read at Dhan failed; it is no evidence for or against anything."""


class TelegramUnavailable(Unavailable):
    """Telegram did not take the message. `retry_after` (seconds) is its own wish, when it gave one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SignInNeeded(DeskError):
    """Dhan needs a fresh sign-in. The text says why and what to do."""


EX_CONFIG = 78
"""The exit code that says: starting again will not help until the settings are changed (sysexits.h)."""


class BadSettings(DeskError):
    """Settings that the desk refuses to start with."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
