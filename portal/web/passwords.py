"""Passwords: argon2id, and which are too easy to guess. Hashing takes 64 MiB each, so only a few run at a time."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN: Final = 10
LENGTH_MAX: Final = 128
SCORE_MIN: Final = 3  # of 0–4: more than 10^8 guesses
JUDGED: Final = 64  # characters: judging takes longer than linear time
AT_ONCE: Final = 2
OURS: Final = ("jejak", "pedulilindungi", "faskes", "puskesmas", "dinkes", "kemenkes")

_hasher = PasswordHasher()


class Passwords:
    """Hashes and checks in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._nobodys = self._threads.submit(_hasher.hash, "nobody's")

    async def hash(self, password: str) -> str:
        """Return what is stored."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Say whether it is the password; takes as long where there is none."""
        loop = asyncio.get_running_loop()
        known: str = await asyncio.wrap_future(self._nobodys) if stored is None else stored
        return await loop.run_in_executor(self._threads, _verify, known, password[:LENGTH_MAX]) and stored is not None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def weakness(password: str, about: Sequence[str]) -> str:
    """Return the key of the words that say why a password will not do; empty where it does.

    Args:
        password: as typed.
        about: what somebody who knows the person would try first: name, address, facility.
    """
    from zxcvbn import zxcvbn  # its lists of words take a fifth of a second, which no restarted gate waits for

    if len(password) < LENGTH_MIN:
        return "password.short"
    if len(password) > LENGTH_MAX:
        return "password.long"
    known = [*OURS, *(part for text in about for part in (text, *text.replace("@", " ").split()))]
    if zxcvbn(password[:JUDGED], user_inputs=known)["score"] < SCORE_MIN:
        return "password.weak"
    return ""


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
