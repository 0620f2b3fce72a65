"""The parts of a printed poster, in millimetres of A4 from the upper left corner: frame, banner, door, code, steps."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import segno
from reportlab.lib.colors import Color, HexColor, white
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from schemas.events import Gate as Kind

WIDTH: Final = 210.0
HEIGHT: Final = 297.0
MARGIN: Final = 8.0
QUIET: Final = 4  # modules around a QR code, as its standard asks
POINT: Final = 0.3528  # millimetres
TITLE_MIN: Final = 0.6  # of its size: a name that would be smaller is broken


class Looks(NamedTuple):
    """The colours of one kind of gate: the banner's field and its letters, lines, a soft ground."""

    main: Color
    letters: Color
    field: Color
    soft: Color


class Pen:
    """Draws on a canvas whose unit is a millimetre of A4; `top` counts down from the upper edge."""

    dark = HexColor("#16202A")
    grey = HexColor("#4A5763")

    def __init__(self, canvas: Canvas, looks: Looks) -> None:
        self._canvas = canvas
        self.looks = looks

    def frame(self) -> None:
        """Draw the frame of the page."""
        self._box(MARGIN, MARGIN, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN, radius=5, line=1.6)

    def head(self, name: str, what: str) -> None:
        """Draw whose poster it is, above the banner."""
        self.centred(name, top=18.5, size=13, font="strong", width=180, ink=self.dark)
        self.centred(what, top=24.5, size=10.5, font="text", width=180, ink=self.grey)

    def banner(self, word: str, english: str, kind: Kind) -> None:
        """Draw the giant word with its door, in a field that is full for an entrance and hollow for an exit."""
        left, top, width, height = 14.0, 29.0, WIDTH - 28.0, 58.0
        self._box(left, top, width, height, radius=4, line=3.2, fill=self.looks.field)
        if kind is Kind.EXIT:
            self._stripes(left, top, width, height)
        door = {Kind.ENTRANCE: left + 7, Kind.EXIT: left + width - 43, Kind.ZONE: left + 9}[kind]
        self._door(door, top + 11, kind)
        begin = left + 8 if kind is Kind.EXIT else left + 46
        room = width - 57
        self._fitted(word, begin, top + 37.5, room, "giant", 102, self.looks.letters)
        self._fitted(english, begin + 1.5, top + 48.5, room, "strong", 25, self.looks.letters)

    def centred(self, text: str, *, top: float, size: float, font: str, width: float, ink: Color) -> None:
        """Draw a line in the middle of the page, `size` points high or as small as it must be to fit."""
        size = min(size, size * width / max(1e-9, _wide(text, font, size)))
        self._text(text, (WIDTH - _wide(text, font, size)) / 2, top, font, size, ink)

    def title(self, text: str, *, top: float, size: float, width: float, ink: Color) -> None:
        """Draw a name in the middle of the page: in one line, or in two where one line would be too small to read."""
        room = width / max(1e-9, _wide(text, "strong", size))
        if room > TITLE_MIN:
            self.centred(text, top=top, size=size, font="strong", width=width, ink=ink)
            return
        for number, line in enumerate(_halves(text)):
            self.centred(line, top=top - 5 + 7 * number, size=0.75 * size, font="strong", width=width, ink=ink)

    def code(self, link: str, *, left: float, top: float, size: float) -> None:
        """Draw the QR code of a link, with its quiet zone inside a square of `size`, in a frame with corners."""
        self._box(left - 4, top - 4, size + 8, size + 8, radius=4, line=0, fill=self.looks.soft)
        self._box(left, top, size, size, radius=2.5, line=0, fill=white)
        rows = [list(row) for row in segno.make(link, error="q", micro=False).matrix]
        unit = size / (len(rows) + 2 * QUIET)
        canvas = self._canvas
        canvas.setFillColor(HexColor("#000000"))
        path = canvas.beginPath()
        for y, row in enumerate(rows):
            for x, length in _runs(row):
                path.rect(left + (QUIET + x) * unit, HEIGHT - top - (QUIET + y + 1) * unit, length * unit, unit * 1.002)
        canvas.drawPath(path, stroke=0, fill=1)

    def steps(self, steps: Sequence[tuple[str, str]], *, top: float) -> None:
        """Draw what to do, numbered, each with its English below."""
        for number, (text, english) in enumerate(steps, 1):
            at = top + (number - 1) * 14.2
            self._canvas.setFillColor(self.looks.main)
            self._canvas.circle(32, HEIGHT - at - 1.2, 4.6, stroke=0, fill=1)
            wide = _wide(str(number), "strong", 15)
            self._text(str(number), 32 - wide / 2, at + 3.1, "strong", 15, white)
            self._fitted(text, 41, at + 0.4, 150, "strong", 15.5, self.dark)
            self._fitted(english, 41, at + 5.8, 150, "text", 11, self.grey)

    def foot(self, what: str, note: str) -> None:
        """Draw which poster it is, at the lower edge."""
        self._canvas.setStrokeColor(self.looks.main)
        self._canvas.setLineWidth(0.5)
        self._canvas.line(20, HEIGHT - 272.5, WIDTH - 20, HEIGHT - 272.5)
        self.centred(what, top=278.5, size=10.5, font="strong", width=178, ink=self.dark)
        self.centred(note, top=284, size=9, font="text", width=178, ink=self.grey)

    def _door(self, left: float, top: float, kind: Kind) -> None:
        """Draw a door 36 high and an arrow into it or out of it; a pin on a map for a zone."""
        canvas, ink = self._canvas, self.looks.letters
        canvas.setFillColor(ink)
        canvas.setStrokeColor(ink)
        canvas.setLineWidth(3)
        canvas.setLineJoin(1)
        if kind is Kind.ZONE:
            self._pin(left + 14, top)
            return
        path = canvas.beginPath()
        # an open frame: the arrow goes through the side that is missing
        side = left + 34 if kind is Kind.ENTRANCE else left + 2
        inner = left + 14 if kind is Kind.ENTRANCE else left + 22
        path.moveTo(inner, HEIGHT - top)
        path.lineTo(side, HEIGHT - top)
        path.lineTo(side, HEIGHT - top - 36)
        path.lineTo(inner, HEIGHT - top - 36)
        canvas.drawPath(path, stroke=1, fill=0)
        self._arrow(left - 1 if kind is Kind.ENTRANCE else left + 10, top + 18)

    def _arrow(self, left: float, middle: float) -> None:
        """Draw an arrow to the right, 27 long."""
        y = HEIGHT - middle
        path = self._canvas.beginPath()
        path.moveTo(left, y + 3)
        for x, up in ((14, 3), (14, 9), (27, 0), (14, -9), (14, -3), (0, -3)):
            path.lineTo(left + x, y + up)
        path.close()
        self._canvas.drawPath(path, stroke=0, fill=1)

    def _pin(self, middle: float, top: float) -> None:
        canvas, y = self._canvas, HEIGHT - top - 13
        path = canvas.beginPath()
        path.moveTo(middle - 12, y - 5)
        path.lineTo(middle, y - 23)
        path.lineTo(middle + 12, y - 5)
        path.close()
        canvas.drawPath(path, stroke=0, fill=1)
        canvas.circle(middle, y, 13, stroke=0, fill=1)
        canvas.setFillColor(self.looks.field)
        canvas.circle(middle, y, 5.2, stroke=0, fill=1)

    def _stripes(self, left: float, top: float, width: float, height: float) -> None:
        """Draw slanted stripes along the lower edge of a field: an exit is known by them without colour."""
        canvas = self._canvas
        canvas.saveState()
        path = canvas.beginPath()
        path.rect(left + 1.6, HEIGHT - top - height + 1.6, width - 3.2, 3.4)
        canvas.clipPath(path, stroke=0, fill=0)
        canvas.setFillColor(self.looks.main)
        for number in range(int(width / 8) + 2):
            x, y = left + number * 8 - 6, HEIGHT - top - height
            stripe = canvas.beginPath()
            stripe.moveTo(x, y)
            stripe.lineTo(x + 4, y)
            stripe.lineTo(x + 9, y + 5)
            stripe.lineTo(x + 5, y + 5)
            stripe.close()
            canvas.drawPath(stripe, stroke=0, fill=1)
        canvas.restoreState()

    def _box(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        radius: float,
        line: float,
        fill: Color | None = None,
    ) -> None:
        canvas = self._canvas
        canvas.setStrokeColor(self.looks.main)
        canvas.setLineWidth(line)
        if fill is not None:
            canvas.setFillColor(fill)
        at = HEIGHT - top - height
        canvas.roundRect(left, at, width, height, radius, stroke=int(line > 0), fill=int(fill is not None))

    def _fitted(self, text: str, left: float, top: float, width: float, font: str, size: float, ink: Color) -> None:
        size = min(size, size * width / max(1e-9, _wide(text, font, size)))
        self._text(text, left, top, font, size, ink)

    def _text(self, text: str, left: float, top: float, font: str, size: float, ink: Color) -> None:
        self._canvas.setFillColor(ink)
        self._canvas.setFont(font, size * POINT)
        self._canvas.drawString(left, HEIGHT - top, text)


def _wide(text: str, font: str, size: float) -> float:
    """Return how wide a text of `size` points is, in millimetres."""
    return float(stringWidth(text, font, size * POINT))


def _halves(text: str) -> list[str]:
    """Return a text broken at the blank nearest to its middle; whole where it has none."""
    blanks = [at for at, letter in enumerate(text) if letter == " "]
    if not blanks:
        return [text]
    at = min(blanks, key=lambda at: abs(2 * at - len(text)))
    return [text[:at], text[at + 1 :]]


def _runs(row: Sequence[int]) -> list[tuple[int, int]]:
    """Return where dark modules begin in a row, and how many there are in one piece."""
    found: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and found and sum(found[-1]) == x:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif dark:
            found.append((x, 1))
    return found
