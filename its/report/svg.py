"""Drawings as plain SVG text: every attribute and text is escaped, nothing is fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

Point = tuple[float, float]


def number(value: float) -> str:
    """A coordinate, short: one decimal, no trailing zero."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def points(path: Iterable[Point]) -> str:
    """Coordinates of a polyline or polygon."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in path)


class Svg:
    """A drawing that grows element by element.

    Parameters
    ----------
    width, height : float
        Size of the drawing's own coordinates; on the page it shrinks to the room there is. [px]
    title : str
        What it shows, for those who listen to it.
    css : str
        Class names of the whole drawing.
    """

    def __init__(self, width: float, height: float, title: str, css: str = "") -> None:
        self.width, self.height = width, height
        self._title, self._css = title, css
        self._parts: list[str] = []

    def add(self, tag: str, text: str | None = None, **attributes: float | str | None) -> None:
        """One element; `stroke_width` is written as `stroke-width`, `css` as `class`; None is left out."""
        self._parts.append(element(tag, text, **attributes))

    def line(self, start: Point, end: Point, css: str) -> None:
        """A straight line."""
        self.add("path", d=f"M{number(start[0])} {number(start[1])}L{number(end[0])} {number(end[1])}", css=css)

    def rect(self, x: float, y: float, width: float, height: float, css: str) -> None:
        """A rectangle."""
        self.add("rect", x=x, y=y, width=max(width, 0.0), height=height, css=css)

    def text(self, x: float, y: float, text: str, css: str = "") -> None:
        """A label; the class sets size and anchor."""
        self.add("text", text, x=x, y=y, css=css or None)

    def raw(self, markup: Markup) -> None:
        """A part that is SVG already."""
        self._parts.append(str(markup))

    def render(self) -> Markup:
        """The drawing as SVG."""
        size = f'viewBox="0 0 {number(self.width)} {number(self.height)}" width="{number(self.width)}"'
        head = f'<svg {size} height="{number(self.height)}" class="{escape(self._css)}" role="img">'
        return Markup(f"{head}<title>{escape(self._title)}</title>{''.join(self._parts)}</svg>")


def element(tag: str, text: str | None = None, **attributes: float | str | None) -> str:
    """One SVG element with escaped attributes and text."""
    pairs = []
    for name, value in attributes.items():
        if value is not None:
            shown = escape(value) if isinstance(value, str) else number(value)  # a number has nothing to escape
            pairs.append(f' {"class" if name == "css" else name.replace("_", "-")}="{shown}"')
    inner = "" if text is None else escape(text)
    return f"<{tag}{''.join(pairs)}/>" if text is None else f"<{tag}{''.join(pairs)}>{inner}</{tag}>"
