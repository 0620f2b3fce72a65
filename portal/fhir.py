"""FHIR R4 bundles from other systems: their entries one by one, whom a Patient is, and what a reference leads to.

Lenient where R4 is: what we do not use is not looked at. An entry that cannot be used is named by its number, as FHIR
counts it, from 0.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from schemas.codec import explain
from schemas.errors import BadInput, InvalidEvent

SYSTEMS: Final[
    Mapping[str, str]
] = {  # SATUSEHAT's for NIK and passport; that of KITAS, and of a hospital's own, is ours
    "https://fhir.kemkes.go.id/id/nik": "nik",
    "https://fhir.kemkes.go.id/id/paspor": "passport",
    "urn:jejak:kitas": "kitas",
    "urn:jejak:temporary": "temporary",
    "urn:jejak:test": "test",
}
R = TypeVar("R", bound=msgspec.Struct)


class Coding(msgspec.Struct, frozen=True):
    """A code of a system."""

    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(msgspec.Struct, frozen=True):
    """A concept by codes, or in words."""

    coding: tuple[Coding, ...] = ()
    text: str = ""

    @property
    def code(self) -> str:
        """The first code, else the words."""
        return next((one.code or one.display for one in self.coding if one.code or one.display), self.text)


class Identifier(msgspec.Struct, frozen=True):
    """A number that somebody else gave."""

    system: str = ""
    value: str = ""


class Reference(msgspec.Struct, frozen=True):
    """What leads to another resource."""

    reference: str = ""
    display: str = ""
    identifier: Identifier | None = None


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """About a resource."""

    last_updated: str = ""


class HumanName(msgspec.Struct, frozen=True):
    """A name, whole or in parts."""

    text: str = ""
    given: tuple[str, ...] = ()
    family: str = ""

    @property
    def whole(self) -> str:
        """The name as it is spoken."""
        return self.text or " ".join(filter(None, (*self.given, self.family)))


class ContactPoint(msgspec.Struct, frozen=True):
    """A telephone, or something else."""

    system: str = ""
    value: str = ""


class Patient(msgspec.Struct, frozen=True, rename="camel"):
    """A person."""

    identifier: tuple[Identifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    birth_date: str = ""

    @property
    def document(self) -> tuple[str, str]:
        """Type and number of the first identifier that we know; empty where there is none."""
        known = ((SYSTEMS[one.system], one.value) for one in self.identifier if one.system in SYSTEMS)
        return next(known, ("", ""))

    @property
    def called(self) -> str:
        """The first name."""
        return next((one.whole for one in self.name if one.whole), "")

    @property
    def phone(self) -> str:
        """The first telephone."""
        return next((one.value for one in self.telecom if one.system in {"phone", "sms"}), "")


class Entry(NamedTuple):
    """A resource of a bundle, not read yet; or why it cannot be."""

    number: int
    name: str  # fullUrl
    kind: str
    raw: bytes
    fault: BadInput | None = None


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    entry: list[msgspec.Raw] = []


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    resource: msgspec.Raw
    full_url: str = ""


class _Kind(msgspec.Struct, frozen=True, rename="camel"):
    resource_type: str
    id: str = ""


class _Location(msgspec.Struct, frozen=True):
    name: str = ""


class Bundle:
    """The entries of a bundle, and what references between them lead to."""

    def __init__(self, data: bytes) -> None:
        try:
            read = msgspec.json.decode(data, type=_Bundle)
        except msgspec.ValidationError:
            raise InvalidEvent("is no FHIR bundle", field="body") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidEvent("is not JSON", field="body") from None
        if read.resource_type != "Bundle":
            raise InvalidEvent("is no FHIR bundle", field="resourceType")
        self.entries = list(_entries(read.entry))
        self._named: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.fault is None:
                identity = read_resource(_Kind, entry.raw).id
                self._named |= dict.fromkeys(filter(None, (entry.name, identity and f"{entry.kind}/{identity}")), entry)

    def of_kind(self, kind: str) -> Iterator[Entry]:
        """Yield the entries of a kind, and those that cannot be read at all."""
        return (entry for entry in self.entries if entry.kind == kind or entry.fault is not None)

    def patient(self, reference: Reference | None, contained: Sequence[msgspec.Raw], field: str) -> Patient:
        """Return whom a reference leads to: an entry, a contained resource, or an identifier alone.

        Raises:
            BadInput: it leads to nobody.
        """
        if reference is None:
            raise BadInput("is missing", field=field)
        found = self._find("Patient", reference.reference, contained)
        if found is not None:
            return read_resource(Patient, found)
        if reference.identifier is not None:
            return Patient(identifier=(reference.identifier,), name=(HumanName(text=reference.display),))
        raise BadInput("leads to no Patient of this bundle", field=field)

    def place(self, reference: Reference, contained: Sequence[msgspec.Raw]) -> str:
        """Return the name of a place: as the reference shows it, or as the Location it leads to is called; or none."""
        found = self._find("Location", reference.reference, contained)
        return reference.display or (read_resource(_Location, found).name if found is not None else "")

    def _find(self, kind: str, reference: str, contained: Sequence[msgspec.Raw]) -> bytes | None:
        """Return what a reference leads to, also where one of both is a whole address and the other its end."""
        if reference.startswith("#"):
            wanted = _Kind(kind, reference[1:])
            return next((bytes(raw) for raw in contained if read_resource(_Kind, bytes(raw)) == wanted), None)
        tail = "/".join(reference.split("/")[-2:])
        entry = self._named.get(reference) or self._named.get(tail)
        return entry.raw if entry is not None and entry.kind == kind else None


def read_resource(kind: type[R], raw: bytes) -> R:
    """Return a resource.

    Raises:
        BadInput: an element has another form than in R4; names it.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise explain(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):  # inside a text: what frames it was read before
        raise InvalidEvent("holds text that is no Unicode", field="resource") from None


def _entries(raws: Sequence[msgspec.Raw]) -> Iterator[Entry]:
    for number, raw in enumerate(raws):
        try:
            entry = read_resource(_Entry, bytes(raw))
            kind = read_resource(_Kind, bytes(entry.resource))
        except BadInput as error:
            yield Entry(number, "", "", b"", error)
        else:
            yield Entry(number, entry.full_url, kind.resource_type, bytes(entry.resource))
