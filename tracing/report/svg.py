"""Small pieces of inline SVG. What came from outside is escaped here, once."""

from html import escape


def text(x: float, y: float, said: str, *, anchor: str = "start", kind: str = "", most: int = 0) -> str:
    """Return a text; `most` cuts it, and the whole then stands in its title."""
    short = said if not most or len(said) <= most else said[: most - 1] + "…"
    title = f"<title>{escape(said)}</title>" if short != said else ""
    where = f'x="{x:.1f}" y="{y:.1f}"' + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f"<text {where}{_class(kind)}>{escape(short)}{title}</text>"


def rect(x: float, y: float, width: float, height: float, *, kind: str = "", fill: str = "", title: str = "") -> str:
    """Return a bar, never too thin to be seen."""
    more = _class(kind) + (f' fill="{fill}"' if fill else "")
    box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{more}'
    return f"{box}><title>{escape(title)}</title></rect>" if title else f"{box}/>"


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{_class(kind)}/>'


def circle(x: float, y: float, radius: float, *, fill: str, stroke: str = "", title: str = "") -> str:
    """Return a disc."""
    more = f' stroke="{stroke}" stroke-width="1.6"' if stroke else ""
    disc = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}"{more}'
    return f"{disc}><title>{escape(title)}</title></circle>" if title else f"{disc}/>"


def picture(width: float, height: float, title: str, described: str, content: str, *, top: float = 0) -> str:
    """Return a picture that says what it shows to those who cannot see it."""
    view = f"0 {top:.0f} {width:.0f} {height:.0f}"
    return (
        f'<svg viewBox="{view}" role="img" preserveAspectRatio="xMinYMin"><title>{escape(title)}</title>'
        f"<desc>{escape(described)}</desc>{content}</svg>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
