"""A poster as it is printed: A4 or A5, one per gate, told apart from across the street and on a grey printer too.

An entrance is a blue field with white letters and an arrow into a door; an exit is a white field in a heavy orange
frame with an arrow out of it; a zone is violet. The QR code has error correction Q: a quarter of it may be unreadable.
"""

import threading
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4, A5
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from portal.posters.drawing import Looks, Pen
from portal.posters.sheet import WORDS, ZONES, Sheet, printed
from schemas.events import Gate as Kind
from tracing.report.words import whole_day

SIZES: Final = {"a4": A4, "a5": A5}
BLUE: Final = Looks(main=HexColor("#0A4E8A"), letters=white, field=HexColor("#0A4E8A"), soft=HexColor("#E3EEF8"))
ORANGE: Final = Looks(main=HexColor("#C23B0A"), letters=HexColor("#C23B0A"), field=white, soft=HexColor("#FCEBE2"))
VIOLET: Final = Looks(main=HexColor("#5A2D82"), letters=white, field=HexColor("#5A2D82"), soft=HexColor("#EFE7F6"))
LOOKS: Final = {Kind.ENTRANCE: BLUE, Kind.EXIT: ORANGE, Kind.ZONE: VIOLET}
STEPS: Final = {
    Kind.ENTRANCE: (
        ("Pindai kode ini dengan kamera ponsel.", "Scan this code with your phone's camera."),
        ("Buka tautannya, lalu tekan Masuk.", "Open the link, then press Check in."),
        ("Tanpa ponsel? Temui petugas di pintu.", "No phone? Ask the officer at the door."),
    ),
    Kind.EXIT: (
        ("Sebelum pulang, pindai kode ini.", "Before you leave, scan this code."),
        ("Buka tautannya, lalu tekan Keluar.", "Open the link, then press Check out."),
        ("Tanpa ponsel? Temui petugas di pintu.", "No phone? Ask the officer at the door."),
    ),
    Kind.ZONE: (
        ("Sudah pindai di pintu masuk? Pindai juga di sini.", "Scanned at the entrance? Scan here too."),
        ("Buka tautannya, lalu tekan Saya di sini.", "Open the link, then press I am here."),
        ("Tanpa ponsel? Temui petugas.", "No phone? Ask an officer."),
    ),
}
FONTS: Final = {"text": "OpenSans-Regular", "strong": "OpenSans-Semibold", "giant": "OpenSans-ExtraBold"}

_one_at_a_time = threading.Lock()
_DAY_ONE: Final = (1980, 1, 1, 0, 0, 0)


def draw(sheets: Sequence[Sheet], size: str) -> bytes:
    """Return a PDF with one page per sheet; the same sheets give the same bytes."""
    with _one_at_a_time:  # reportlab's fonts are shared by all documents
        return _drawn(sheets, size)


def _drawn(sheets: Sequence[Sheet], size: str) -> bytes:
    _know_fonts()
    width, height = SIZES[size]
    out = BytesIO()
    canvas = Canvas(out, pagesize=(width, height), invariant=1, pageCompression=1)
    canvas.setTitle(f"Poster QR {sheets[0].facility}")
    canvas.setAuthor("Jejak")
    for sheet in sheets:
        canvas.saveState()
        canvas.scale(width / 210, height / 297)  # from here on a millimetre of A4 is a unit
        _page(Pen(canvas, LOOKS[sheet.kind]), sheet)
        canvas.restoreState()
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def in_one_file(sheets: Sequence[Sheet]) -> bytes:
    """Return a ZIP with a PDF of every sheet in both sizes."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for size in SIZES:
            for sheet in sheets:
                # a date of its own would make each download another file
                entry = zipfile.ZipInfo(f"{size.upper()}/{sheet.file_name}.pdf", date_time=_DAY_ONE)
                packed.writestr(entry, draw([sheet], size))
    return out.getvalue()


def _page(pen: Pen, sheet: Sheet) -> None:
    word, english = WORDS[sheet.kind]
    pen.frame()
    pen.head("KEMENTERIAN KESEHATAN REPUBLIK INDONESIA", "Pelacakan kontak di fasilitas pelayanan kesehatan")
    pen.banner(word, english, sheet.kind)
    pen.title(printed(sheet.facility, sheet.facility_id), top=100, size=25, width=180, ink=pen.dark)
    pen.centred(_place(sheet), top=110.5, size=15, font="strong", width=170, ink=pen.looks.main)
    pen.code(sheet.link, left=55, top=117, size=100)
    pen.steps(STEPS[sheet.kind], top=229)
    pen.foot(
        f"{sheet.facility_id} · {sheet.code.upper()} · Versi {sheet.version} · {whole_day(sheet.made_on, 'id')}",
        "Hanya sah di pintu ini selama versi ini berlaku. Rusak atau hilang? Beri tahu pengelola fasilitas.",
    )


def _place(sheet: Sheet) -> str:
    name, kind = printed(sheet.name, sheet.code.upper()), ZONES.get(sheet.zone_kind)
    if kind is None or kind[0].casefold() == name.casefold():
        return name
    return f"{name} · {kind[0]}"


def _know_fonts() -> None:
    folder = Path(__file__).parent / "fonts"
    for name, file in FONTS.items():
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, folder / f"{file}.ttf"))
