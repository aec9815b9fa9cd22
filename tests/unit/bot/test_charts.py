"""Pictures are drawn by a child that ends: the desk never holds the drawing library, and a failed one is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot.charts import Painter
from core.errors import Refusal


def test_the_desk_does_not_load_the_drawing_library() -> None:
    look = "import sys, bot.app, bot.__main__; sys.exit('matplotlib' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0


async def test_what_cannot_be_drawn_is_said_and_nothing_hangs(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="could not be drawn"):
        await Painter(tmp_path).draw({"kind": "no such picture"})
