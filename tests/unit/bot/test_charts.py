"""Pictures are drawn by a child that ends: the desk never holds the drawing library, and a failed one is said."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import drawing
from bot.charts import Painter
from core.errors import Refusal
from tests.integration.paper_dhan import india

OPENS = india("2026-12-01 09:15")


def test_the_desk_does_not_load_the_drawing_library() -> None:
    look = "import sys, bot.app, bot.__main__; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0


async def test_what_cannot_be_drawn_is_said_and_nothing_hangs(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="could not be drawn"):
        await Painter(tmp_path).draw({"kind": "no such picture"})


def names(minutes: list[float], name: str = "25 HDFCBANK") -> list[Any]:
    """Where the names of fills stand, so many minutes after the open, and the room that they share; in pixels."""
    fills = [{"at": (OPENS + timedelta(minutes=each)).isoformat(), "side": "BUY", "name": name} for each in minutes]
    begins, ends = ((OPENS + timedelta(minutes=each)).isoformat() for each in (-15, 390))
    spec = {"title": "Tue 1 Dec", "note": "", "alerts": [], "orders": [], "fills": fills, "sessions": []}
    figure = drawing.timeline({**spec, "from": begins, "to": ends})
    figure.draw_without_rendering()
    [axes] = figure.axes
    return [axes.get_window_extent(), *(text.get_window_extent() for text in axes.texts)]


@pytest.mark.parametrize(
    "minutes", [[0.1 * each for each in range(30)], [30.0 * each for each in range(13)], [374.0] * 9]
)
def test_the_names_of_a_busy_mornings_fills_lie_on_the_picture_and_not_on_each_other(minutes: list[float]) -> None:
    plate, *told = names(minutes)
    assert 3 <= len(told) <= len(minutes)
    assert all(plate.x0 <= box.x0 and box.x1 <= plate.x1 and box.y0 >= plate.y0 for box in told)
    assert [(one, other) for one in told for other in told if one is not other and one.overlaps(other)] == []


def test_each_fill_of_a_quiet_day_is_named() -> None:
    assert len(names([0.5, 1, 30, 31, 200, 201, 374])) == 1 + 7
