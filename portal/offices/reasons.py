"""Why an alert was made, in Indonesian: the alert itself says it in English, in a fixed set of phrases. Pure.

A phrase that is not known here stays as it is: better a word of English than a reason less.
"""

import re
from typing import Final

from portal.web.words import Language

_PHRASES: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"1 meeting", "1 pertemuan"),
        (r"(\d+) meetings", "{} pertemuan"),
        (r"check-in estimated", "waktu masuk diperkirakan"),
        (r"check-out estimated", "waktu keluar diperkirakan"),
        (r"check-in and check-out estimated", "waktu masuk dan keluar diperkirakan"),
        (r"an end estimated", "waktu masuk atau keluar diperkirakan"),
        (r"rode together in one vehicle", "satu kendaraan"),
        (r"in different zones all the while", "di zona berbeda sepanjang waktu"),
        (r"staff in isolation, protection unknown", "petugas di ruang isolasi, APD tidak diketahui"),
        (r"identity not proven", "identitas belum dibuktikan"),
        (r"arrived and left within minutes of each other", "datang dan pergi berselang beberapa menit"),
        (r"arrived within minutes of each other", "datang berselang beberapa menit"),
        (r"left within minutes of each other", "pergi berselang beberapa menit"),
        (
            r"arrived and left within minutes of each other on (\d+) of (\d+) days",
            "datang dan pergi berselang beberapa menit pada {} dari {} hari",
        ),
        (
            r"arrived within minutes of each other on (\d+) of (\d+) days",
            "datang berselang beberapa menit pada {} dari {} hari",
        ),
        (
            r"left within minutes of each other on (\d+) of (\d+) days",
            "pergi berselang beberapa menit pada {} dari {} hari",
        ),
        (r"on (\d+) days", "pada {} hari"),
        (r"together for most of both stays", "bersama selama sebagian besar waktu keduanya"),
        (r"together for a small part of both stays", "bersama selama sebagian kecil waktu keduanya"),
        (r"same zone", "zona sama"),
        (r"different zones", "zona berbeda"),
        (r"few others present", "sedikit orang lain"),
        (r"about (\d+) others present", "sekitar {} orang lain"),
        (r"a visit arrived late", "kunjungan datang terlambat"),
        (r"a new visit", "kunjungan baru"),
        (r"a visit was corrected", "kunjungan diperbaiki"),
        (r"the period of the trace changed", "masa pelacakan berubah"),
        (r"the trace was taken back", "pelacakan ditarik kembali"),
        (r"a scan was voided", "pindaian dibatalkan"),
        (r"a scan was flagged", "pindaian ditandai"),
        (r"a scan was cleared", "pindaian dibersihkan dari tanda"),
        (r"evidence is weaker: degree (\d) instead of (\d)", "bukti melemah: derajat {}, sebelumnya {}"),
        (r"evidence is weaker: (\S+) min instead of (\S+)", "bukti melemah: {} menit, sebelumnya {}"),
        (r"evidence is weaker: less time together", "bukti melemah: waktu bersama berkurang"),
        (r"dropped by people", "digugurkan oleh petugas"),
        (
            r"no meeting is left that concerns this office",
            "tidak ada lagi pertemuan yang menyangkut dinas ini",
        ),
        (
            r"staff in isolation: now with the infection control team",
            "petugas di ruang isolasi: kini ditangani Tim PPI",
        ),
        (
            r"a visit came or changed after the trace had closed: ask for the trace again, and it is run once more",
            "ada kunjungan yang datang atau berubah setelah pelacakan ditutup: minta pelacakan ulang",
        ),
    )
)


def reason_in(language: Language, reason: str) -> str:
    """Return why, in a language."""
    if language == "en":
        return reason
    return "; ".join(_said(part) for part in reason.split("; "))


def _said(part: str) -> str:
    """Return one phrase, or several causes that are joined by `and`."""
    whole = _phrase(part)
    if whole is not None:
        return whole
    return " dan ".join(_phrase(one) or one for one in part.split(" and "))


def _phrase(part: str) -> str | None:
    for pattern, words in _PHRASES:
        found = pattern.fullmatch(part)
        if found:
            return words.format(*found.groups())
    return None
