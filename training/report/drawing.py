"""A figure as SVG that stands in a page: no outside resource, text stays text."""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.plots import INK

ACCENT, SOFT, QUIET = "#1f5f8b", "#c9dcea", "#8a939c"
_OUTSIDE = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r' xmlns(:\w+)?="[^"]*"')
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*pt"')


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as an SVG element, and what it shows in words, for who cannot see it."""

    svg: str
    words: str


def style(salt: str) -> AbstractContextManager[None]:
    """Text stays text, and a $ in a name is a $; ids come from the salt, not from chance."""
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            "text.parse_math": False,
            "font.size": 10,
            "axes.edgecolor": QUIET,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )


def figure_of(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure, in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def drawing(figure: Figure, name: str, words: str) -> Drawing:
    """The figure as one SVG element, the same bytes each time; its ids begin with a name of its own."""
    file = io.StringIO()
    with style(name):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    svg = _OUTSIDE.sub("", file.getvalue())
    svg = _SIZE.sub(r"\1", _NAMESPACE.sub("", svg, count=2), count=2)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    return Drawing(svg.strip(), words)
