"""One house for all end-to-end tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.house import House, running_house


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="jejak-house-"))
    folder.chmod(0o755)
    try:
        with running_house(folder / ".jejak", linger_ms=1) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)
