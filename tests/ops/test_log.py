"""Logs of workers hold only what is on the list, whatever is passed and whoever logs."""

import json
import subprocess
import sys

import pytest

from ops.log import ALLOWED, keep_allowed, places_of

NIK = "3671014508900003"
LOGS = f"""
import logging, structlog
from ops.log import set_up_logs
set_up_logs("info")
structlog.get_logger().warning("dead letters", topic="scan.v1", person="{NIK}", body=b"{NIK}", offset=3)
structlog.get_logger().debug("too fine")
logging.getLogger("aiokafka").error("value %s", "{NIK}")
for _ in range(100):
    logging.getLogger("aiokafka").error("again %s", "{NIK}")
logging.getLogger("faust").error("value {NIK}")
try:
    raise ValueError("{NIK}")
except ValueError:
    logging.getLogger("mode").exception("crashed")
"""


def test_a_field_that_is_not_on_the_list_is_dropped() -> None:
    assert keep_allowed(None, "info", {"event": "e", "topic": "t", "person": NIK}) == {"event": "e", "topic": "t"}
    assert not ALLOWED & {"person", "person_id", "case_id", "key", "value", "body", "sql", "query"}


def test_what_libraries_log_holds_no_value() -> None:
    ended = subprocess.run([sys.executable, "-c", LOGS], capture_output=True, text=True, check=True)
    assert NIK not in ended.stdout + ended.stderr
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "dead letters",
        "value %s",
        "again %s",
        "a library's message",
        "a library's message",
    ]
    assert lines[0]["offset"] == 3
    assert lines[4]["error"] == "ValueError"


def test_an_error_is_told_by_its_places() -> None:
    with pytest.raises(ValueError, match=NIK) as found:
        int(NIK + "x")
    assert not any(NIK in place for place in places_of(found.value))
    assert places_of(found.value)[-1].startswith("test_log.py:")
