# pyright: basic
# (the drawing library's types are partial)
"""`python -m bot.drawing`: one picture, from a JSON object on stdin to a PNG on stdout, and then it ends.

A process of its own, so that the desk never holds the drawing library. The pictures carry their own dark ground, which
reads the same in a light and in a dark chat, and letters that a phone shows large enough.
"""

import json
import sys
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, MaxNLocator

GROUND, PLATE, INK, FAINT = "#17212b", "#1e2c3a", "#f2f6fa", "#a9bccd"
GOOD, BAD, CALM, WARM = "#4cd097", "#ff8078", "#62b5ff", "#ffc65c"
SIDES = {"BUY": ("^", GOOD), "SELL": ("v", BAD)}
ENDS = {"filled": GOOD, "rejected": BAD, "expired": BAD, "lapsed": BAD, "refused": BAD}
ROWS = 4
"""Of fills' names, below their lane."""

mpl.rcParams.update(
    {
        "figure.figsize": (4.32, 3.36),
        "figure.dpi": 250,
        "figure.facecolor": GROUND,
        "axes.facecolor": PLATE,
        "axes.edgecolor": PLATE,
        "axes.labelcolor": INK,
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#2c3e50",
        "text.color": INK,
        "font.size": 11,
        "xtick.color": INK,
        "ytick.color": INK,
        "savefig.facecolor": GROUND,
        "timezone": "Asia/Kolkata",
    }
)


def day(spec: dict[str, Any]) -> Any:
    """Looks at the account in the course of a day: the total, and what of it is realised."""
    figure, axes = _paper(spec)
    at = [datetime.fromisoformat(point["at"]) for point in spec["points"]]
    totals = [float(point["total"]) for point in spec["points"]]
    realised = [float(point["realised"]) for point in spec["points"]]
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.step(at, realised, where="post", color=CALM, linewidth=1.6, linestyle=":", label="realised")
    axes.plot(at, totals, color=INK, linewidth=1, linestyle="--", alpha=0.6)
    axes.scatter(at, totals, color=[GOOD if total >= 0 else BAD for total in totals], s=42, zorder=3, label="total")
    axes.annotate(_rupees(totals[-1]), (at[-1], totals[-1]), xytext=(0, 9), textcoords="offset points", ha="right")
    axes.legend(facecolor=PLATE, edgecolor=PLATE, labelcolor=INK, loc="best")
    if len(at) == 1 or at[-1] - at[0] < timedelta(minutes=10):
        axes.set_xlim(at[0] - timedelta(minutes=10), at[-1] + timedelta(minutes=10))
    axes.margins(y=0.2)
    _money(axes)
    _clock(axes)
    return figure


def month(spec: dict[str, Any]) -> Any:
    """A bar for each day that was looked at; days without a look are marked, not drawn as zero."""
    figure, axes = _paper(spec)
    days = [date.fromisoformat(each["day"]) for each in spec["days"]]
    totals = [None if each["total"] is None else float(each["total"]) for each in spec["days"]]
    known = [(on, total) for on, total in zip(days, totals, strict=True) if total is not None]
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.bar(
        [on for on, _ in known], [t for _, t in known], color=[GOOD if t >= 0 else BAD for _, t in known], width=0.8
    )
    running, line = 0.0, []
    for _, total in known:
        running += total
        line.append(running)
    axes.plot(
        [on for on, _ in known], line, color=WARM, linewidth=2, marker="o", markersize=4, label="added up, known days"
    )
    unknown = [on for on, each in zip(days, spec["days"], strict=True) if each["total"] is None and each["trades"]]
    if unknown:
        axes.scatter(
            unknown, [0] * len(unknown), marker="x", color=FAINT, s=26, label="not known", zorder=3, clip_on=False
        )
    axes.annotate(_rupees(line[-1]), (known[-1][0], line[-1]), xytext=(0, 9), textcoords="offset points", ha="right")
    axes.legend(facecolor=PLATE, edgecolor=PLATE, labelcolor=INK, loc="best")
    axes.set_xlim(days[0] - timedelta(days=1), days[-1] + timedelta(days=1))
    axes.margins(y=0.2)
    axes.xaxis.set_major_locator(dates.DayLocator(interval=7))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%-d %b" if sys.platform != "win32" else "%d %b"))
    _money(axes)
    return figure


def timeline(spec: dict[str, Any]) -> Any:
    """Alerts, orders from their sending to their end, and fills, on three lanes along the day."""
    figure, axes = _paper(spec)
    lanes = {"Alerts": 2, "Orders": 1, "Fills": 0}
    for begins, ends in spec["sessions"]:
        axes.axvspan(datetime.fromisoformat(begins), datetime.fromisoformat(ends), color="#27435a", zorder=0)
    alerts = [datetime.fromisoformat(at) for at in spec["alerts"]]
    axes.scatter(alerts, [lanes["Alerts"]] * len(alerts), color=WARM, s=52, zorder=3)
    for order in spec["orders"]:
        begins, ends = datetime.fromisoformat(order["begins"]), datetime.fromisoformat(order["ends"])
        color = ENDS.get(order["state"], CALM)
        axes.plot([begins, ends], [lanes["Orders"]] * 2, color=color, linewidth=7, solid_capstyle="round", zorder=3)
        axes.scatter([ends], [lanes["Orders"]], color=color, s=60, zorder=4)
    for fill in spec["fills"]:
        marker, color = SIDES[fill["side"]]
        axes.scatter([datetime.fromisoformat(fill["at"])], [lanes["Fills"]], marker=marker, color=color, s=90, zorder=3)
    axes.set_yticks(list(lanes.values()), list(lanes), fontsize=13)
    axes.set_ylim(-1.75, 2.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlim(datetime.fromisoformat(spec["from"]), datetime.fromisoformat(spec["to"]))
    _clock(axes)
    _name_fills(figure, axes, spec["fills"], lanes["Fills"])
    return figure


def _name_fills(figure: Any, axes: Any, fills: list[dict[str, Any]], lane: float) -> None:
    """Names below the fills, the earliest first, each in the highest row that has room for it, else in none."""
    figure.draw_without_rendering()  # only now is known where things lie
    plate, points = axes.get_window_extent().padded(-6), 72 / figure.dpi
    ends = [plate.x0] * ROWS
    for fill in fills:
        place = (datetime.fromisoformat(fill["at"]), lane)
        name = axes.annotate(
            fill["name"], place, xytext=(0, 0), textcoords="offset points", ha="center", fontsize=9.5, color=INK
        )
        box = name.get_window_extent()
        left = min(max(box.x0, plate.x0), plate.x1 - box.width)
        row = next((row for row, end in enumerate(ends) if end <= left), None)
        if row is None:
            name.remove()
        else:
            name.set_position(((left - box.x0) * points, -20 - 15 * row))
            ends[row] = left + box.width + box.height / 2


def _paper(spec: dict[str, Any]) -> tuple[Any, Any]:
    figure, axes = plt.subplots(layout="constrained")
    axes.set_title(spec["title"])
    axes.tick_params(length=0)
    figure.supxlabel(spec["note"], fontsize=9, color=FAINT)
    return figure, axes


def _money(axes: Any) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _position: _rupees(amount)))


def _rupees(amount: float) -> str:
    """Short, as traders say it: in thousands, lakhs and crores."""
    size, sign = abs(amount), "−" if amount < 0 else ""
    for worth, unit in ((1e7, " cr"), (1e5, " L"), (1e3, "k")):
        if size >= worth:
            return f"{sign}₹{size / worth:.2f}".rstrip("0").rstrip(".") + unit
    return f"{sign}₹{size:.0f}" if size >= 10 else f"{sign}₹{size:.2f}".rstrip("0").rstrip(".")


def _clock(axes: Any) -> None:
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))


KINDS = {"day": day, "month": month, "timeline": timeline}


def main() -> None:
    spec = json.load(sys.stdin)
    figure = KINDS[spec["kind"]](spec)
    png = BytesIO()
    figure.savefig(png, format="png")
    sys.stdout.buffer.write(png.getvalue())


if __name__ == "__main__":
    main()
