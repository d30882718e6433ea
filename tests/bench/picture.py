# SPDX-License-Identifier: Apache-2.0
"""The recoveries as a picture: a mark at p50, a line to p99."""

import matplotlib
from matplotlib.figure import Figure

from report import percentile, seconds

_KINDS = (("settled", "#1b6ca8", -0.15), ("burst", "#d1495b", 0.15))
_PANELS = (("fastest", "as fast as each can restart"), ("default", "default policies"))


def draw(results, path):
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "perch", "font.size": 10})
    figure = Figure(figsize=(10, 4.2))
    panels = figure.subplots(1, 2, sharey=True, sharex=True)
    for panel, (policy, title) in zip(panels, _PANELS):
        _draw_panel(panel, results[policy], title)
    panels[0].invert_yaxis()
    panels[1].legend(loc="upper right")
    figure.suptitle("From kill to the first reply of the next worker")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _draw_panel(panel, series, title):
    panel.set_title(title)
    panel.set_xscale("log")
    panel.set_xlabel("mark: p50, line: to p99, ×: stays down for good")
    panel.set_xticks([0.001, 0.01, 0.1, 1, 10], ["1 ms", "10 ms", "0.1 s", "1 s", "10 s"])
    panel.set_yticks(range(len(series)), list(series))
    panel.grid(axis="x", alpha=0.3)
    for kind, colour, offset in _KINDS:
        rows = [
            (row + offset, seconds(getattr(one, kind)), one.down_after)
            for row, one in enumerate(series.values())
        ]
        _draw_kind(panel, [row for row in rows if row[1]], kind, colour)


def _draw_kind(panel, rows, kind, colour):
    heights = [height for height, _, _ in rows]
    middles = [percentile(values, 50) for _, values, _ in rows]
    worst = [percentile(values, 99) for _, values, _ in rows]
    panel.hlines(heights, middles, worst, color=colour, alpha=0.5, linewidth=3)
    panel.plot(middles, heights, "o", color=colour, label=kind)
    if kind == "burst":
        gone = [(end, height) for end, (height, _, down) in zip(worst, rows) if down]
        panel.plot([end * 1.6 for end, _ in gone], [height for _, height in gone], "kx")
