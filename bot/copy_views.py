"""What is told of an identical alert that came after another one and waits."""

from dataclasses import replace

from core.domain.alert import AlertState
from core.reports import AlertReport


def as_copy(report: AlertReport) -> AlertReport:
    """The report of such an alert with what it is as its reason; any other report as it stands."""
    alert = report.alert
    if alert.state is not AlertState.REPEAT:
        return report
    words = f"A copy of alert {alert.repeat_of}: it did nothing, and waits for a tap on that alert's card."
    return replace(report, alert=replace(alert, reason=words))
