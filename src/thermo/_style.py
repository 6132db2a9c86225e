"""How pictures look: colours, sizes, a slide."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BLACK", "BLUE", "GREEN", "GREY", "ORANGE", "SKY", "SLIDE", "STYLE", "TITLE", "VERMILION", "heading"]

# Okabe and Ito's palette, told apart by every common kind of colour vision, and in grey by its lightness
BLACK, BLUE, VERMILION, GREEN, ORANGE, SKY = "#222222", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9"
GREY = "#6B6B6B"
SLIDE = (13.333, 7.5)  # inch, 16:9
STYLE: Any = {
    "font.size": 13, "axes.titlesize": 14, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 13, "xtick.labelsize": 12, "ytick.labelsize": 12, "legend.fontsize": 11.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#DDDDDD", "grid.linewidth": 0.8,
    "axes.axisbelow": True, "lines.linewidth": 2.0, "figure.facecolor": "white", "savefig.facecolor": "white", "text.parse_math": False,
}
TITLE = 68  # characters that fit above the panels


def heading(figure: Figure, left: float, title: str) -> None:
    """The title of a slide, cut where it would not fit."""
    figure.text(left, 0.955, title if len(title) <= TITLE else title[:TITLE - 1] + "…", fontsize=20, fontweight="bold", va="center")
