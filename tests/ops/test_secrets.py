"""A private file is written whole, or nothing of it is there."""

import subprocess
import sys
from pathlib import Path

from ops.secrets import write_private

FULL = """
import resource, signal, sys
from pathlib import Path
from ops.secrets import write_private
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
try:
    write_private(Path(sys.argv[1]), "longer than there is room for")
except OSError as error:
    print(error.errno)
"""


def test_what_finds_no_room_leaves_nothing_behind_and_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, "old")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip().isdigit()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
