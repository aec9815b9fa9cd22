"""Which orders wait for a tap."""

from enum import StrEnum

from core.domain.alert import Validity
from core.domain.order import Mode
from core.domain.routing import Decision

EVERY_ORDER = "You approve every order."


class ApprovalPolicy(StrEnum):
    """QUEUED: what can go now goes, what has to wait is asked about. No answer is never a yes."""

    QUEUED = "queued"
    ALWAYS = "always"
    NEVER = "never"


def stricter(desk: ApprovalPolicy, source: ApprovalPolicy | None) -> ApprovalPolicy:
    """The desk's and a source's policy together; None: the source has none of its own."""
    both = {desk, source}
    return next(policy for policy in _STRICTEST_FIRST if policy in both)


_STRICTEST_FIRST = (ApprovalPolicy.ALWAYS, ApprovalPolicy.QUEUED, ApprovalPolicy.NEVER)


def why_ask(
    policy: ApprovalPolicy,
    decision: Decision,
    *,
    late: str,
    above: str = "",
    trust: str = "",
    validity: Validity = Validity.DAY,
) -> str | None:
    """Why the operator is asked, in a sentence; None when the order may go without a tap.

    `late` says how old the alert is when that is too old to go at once; `above` which limit it does not keep, or what
    may be a mistake; `trust` why its source's step on the ladder asks. What was to go at once or not at all never waits
    without a tap.
    """
    if above:
        return above
    if decision.mode is None:
        return decision.reason
    if late and decision.mode is Mode.IMMEDIATE:
        return late
    if validity is Validity.IOC and decision.mode is not Mode.IMMEDIATE:
        return decision.reason
    if trust:
        return f"{trust} {decision.reason}"
    match policy:
        case ApprovalPolicy.ALWAYS:
            return f"{EVERY_ORDER} {decision.reason}"
        case ApprovalPolicy.QUEUED:
            return decision.reason if decision.mode is Mode.QUEUE else None
        case ApprovalPolicy.NEVER:
            return None
