"""Which processes an installation runs, in which order they stop, and how settings reach them."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ops.supervisor import Service
from schemas.errors import Unavailable
from schemas.settings import PREFIX, Settings, environment_name

ROOT = Path(__file__).parents[1]


def service_groups(settings: Settings) -> list[list[Service]]:
    """Return the services; the first group stops first: no new scans, then the folds, then what they leave to send."""
    visits = [
        _service(settings, f"visits-{slot}", "worker", "visits", f"--slot={slot}") for slot in range(settings.workers)
    ]
    traces = _service(settings, "traces", "worker", "traces")
    standing = _service(settings, "standing", "worker", "standing")
    plausibility = _service(settings, "plausibility", "plausibility")
    retention = _service(settings, "retention", "retention", "run", "--daily")
    folds = [*visits, traces, standing, plausibility, retention]
    return [[_service(settings, "gate", "gate")], folds, [_service(settings, "relay", "relay")]]


def gate_url(settings: Settings) -> str:
    """Return the address of the gate that runs in this home.

    Raises:
        Unavailable: none runs.
    """
    try:
        record = msgspec.json.decode((settings.home / "run" / "gate.json").read_bytes(), type=dict[str, str | int])
    except (OSError, msgspec.DecodeError) as error:
        raise Unavailable(f"no gate runs in {settings.home}: start `jejak up`") from error
    return str(record["url"])


def environment(settings: Settings, around: Mapping[str, str]) -> dict[str, str]:
    """Return a process's environment: `around` without its `JEJAK_…`, and every setting that is no default.

    No setting is a password: those stay in their files.
    """
    ours = {name: value for name, value in around.items() if not name.startswith(PREFIX)}
    for field, default in zip(Settings.__struct_fields__, Settings.__struct_defaults__, strict=True):
        value = getattr(settings, field)
        if value != default:
            ours[environment_name(field)] = str(value).lower() if isinstance(value, bool) else str(value)
    return ours | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), ours.get("PYTHONPATH", "")]))}


def _service(settings: Settings, name: str, *command: str) -> Service:
    return Service(
        name=name,
        argv=[sys.executable, "-m", "ops.cli", *command],
        env=environment(settings, os.environ),
        log=settings.home / "logs" / f"{name}.log",
        record=settings.home / "run" / f"service-{name}.json",
    )
