"""A body of one thing, of an array of such things, or of an object that names the array: the same for every desk."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from portal.problems import TooLarge
from schemas.errors import InvalidEvent

BATCH_MAX: Final = 1_000
_several: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])


class Splitter:
    """Splits bodies of `many` (the name of the array, and what they are called) into each `one`."""

    def __init__(self, one: str, many: str) -> None:
        self._one, self._many = one, many
        absent = msgspec.Raw()  # empty
        self._named: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Named", [(many, msgspec.Raw, absent)])
        )
        self._only: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            msgspec.defstruct("Only", [(many, list[msgspec.Raw])], forbid_unknown_fields=True)
        )

    def __call__(self, data: bytes) -> tuple[Sequence[bytes | msgspec.Raw], bool]:
        """Return the things as they came, and whether it is a single one.

        Raises:
            InvalidEvent: the body is not JSON, or not of any of the three forms.
            TooLarge: there are more than 1,000.
        """
        try:
            if data.lstrip()[:1] == b"[":
                items = _several.decode(data)
            elif not bytes(getattr(self._named.decode(data), self._many)):
                return [data], True
            else:
                items = getattr(self._only.decode(data), self._many)
        except msgspec.ValidationError:
            raise InvalidEvent(f"is neither a {self._one} nor a list of {self._many}", field="body") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidEvent("is not JSON", field="body") from None
        if len(items) > BATCH_MAX:
            raise TooLarge(f"more than {BATCH_MAX:,} {self._many} at once")
        return items, False
