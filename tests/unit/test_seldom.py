"""What anybody can bring about is said once a minute, with how often it was."""

from structlog.testing import capture_logs

from webhook.seldom import Seldom


class Ticking:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_said_at_once_and_the_others_of_its_minute_are_counted() -> None:
    clock = Ticking()
    seldom = Seldom("alert_turned_away", monotonic=clock)
    with capture_logs() as lines:
        for number in range(5):
            seldom.warn(why=f"number {number}")
        assert [(line["why"], line["count"]) for line in lines] == [("number 0", 1)]
        clock.now += 60
        seldom.warn(why="number 5")
    assert [(line["event"], line["log_level"], line["why"], line["count"]) for line in lines] == [
        ("alert_turned_away", "warning", "number 0", 1),
        ("alert_turned_away", "warning", "number 5", 5),
    ]
