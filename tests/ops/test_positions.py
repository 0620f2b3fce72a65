"""Losses are found by comparing positions with the log; only a person lets a fold step over one, and that is kept."""

import msgspec
import pytest
from click.testing import CliRunner
from kafka import TopicPartition

from ops.cli import cli
from ops.doctor import diagnose
from ops.positions import Stand, accept_loss, read_stands
from ops.services import environment
from ops.store import OWNER, transaction
from ops.topics import admin_client
from producers.sender import Sender
from schemas.errors import Conflict, NotFound
from schemas.partition import partition_of
from schemas.settings import Settings
from schemas.topics import SCAN

PERSON = "0" * 32
RECORDS = 10


@pytest.fixture
def cluster(installation: Settings) -> str:
    with admin_client(installation) as admin:
        return str(admin.describe_cluster()["cluster_id"])


@pytest.fixture
def partition(installation: Settings) -> int:
    number = partition_of(PERSON, installation.partitions)
    with Sender(installation, "gate") as sender:
        sender.confirm([sender.send(SCAN.name, b"key", b"value", number) for _ in range(RECORDS)])
    with admin_client(installation) as admin:
        admin.delete_records({TopicPartition(SCAN.name, number): 6})
    return number


def put_position(settings: Settings, partition: int, cluster: str, next_offset: int) -> None:
    with transaction(settings, OWNER) as connection, connection.cursor() as cursor:
        cursor.execute("delete from position")
        cursor.execute("delete from lost_range")
        cursor.execute(
            "insert into position (topic, partition, cluster_id, first, next_offset, applied)"
            " values (%s, %s, %s, 0, %s, %s)",
            (SCAN.name, partition, cluster, next_offset, next_offset),
        )


def kept(settings: Settings) -> list[tuple[object, ...]]:
    with transaction(settings, OWNER) as connection, connection.cursor() as cursor:
        cursor.execute("select topic, partition, from_offset, to_offset, accepted_by from lost_range")
        return list(cursor.fetchall())


def test_what_is_removed_before_it_was_read_is_found_and_accepted_once(
    installation: Settings, partition: int, cluster: str
) -> None:
    put_position(installation, partition, cluster, 2)
    (stand,) = read_stands(installation)
    assert stand.loss == "offsets 2 to 5 were removed before they were read"
    accept_loss(installation, SCAN.name, partition, "nurse")
    (after,) = read_stands(installation)
    assert (after.next_offset, after.loss) == (6, "")
    assert after.lag == after.log_end - 6
    assert kept(installation) == [(SCAN.name, partition, 2, 6, "nurse")]
    with pytest.raises(Conflict, match="nothing is lost"):
        accept_loss(installation, SCAN.name, partition, "nurse")


def test_doctor_names_the_lost_range_and_the_command_that_accepts_it_on_record(
    installation: Settings, partition: int, cluster: str
) -> None:
    put_position(installation, partition, cluster, 2)
    (lost,) = [finding for finding in diagnose(installation) if finding.subject == f"{SCAN.name} {partition}"]
    assert (lost.state, lost.says) == ("wrong", "offsets 2 to 5 were removed before they were read")
    command = f"accept-lost {SCAN.name} {partition}"
    assert f"`jejak {command}`" in lost.remedy
    done = CliRunner().invoke(cli, command.split(), env=environment(installation, {}))
    assert done.exit_code == 0, done.output
    assert not [finding for finding in diagnose(installation) if finding.subject == lost.subject]
    assert [row[:4] for row in kept(installation)] == [(SCAN.name, partition, 2, 6)]


def test_another_clusters_log_is_a_loss_and_reading_begins_where_it_begins(
    installation: Settings, partition: int, cluster: str
) -> None:
    put_position(installation, partition, "another", 7)
    (stand,) = read_stands(installation)
    assert "another cluster" in stand.loss
    accept_loss(installation, SCAN.name, partition, "nurse")
    (after,) = read_stands(installation)
    assert (after.cluster_id, after.next_offset, after.loss) == (cluster, after.log_start, "")
    assert kept(installation) == [(SCAN.name, partition, 7, -1, "nurse")]


def test_a_log_that_was_cut_off_is_a_loss_and_reading_goes_on_at_its_end(
    installation: Settings, partition: int, cluster: str
) -> None:
    put_position(installation, partition, cluster, 1_000_000)
    (stand,) = read_stands(installation)
    assert "cut off" in stand.loss
    accept_loss(installation, SCAN.name, partition, "nurse")
    (after,) = read_stands(installation)
    assert (after.next_offset, after.loss) == (stand.log_end, "")
    assert kept(installation) == [(SCAN.name, partition, stand.log_end, 1_000_000, "nurse")]


def test_a_place_without_position_is_not_found(installation: Settings, partition: int, cluster: str) -> None:
    put_position(installation, partition, cluster, 7)
    with pytest.raises(NotFound):
        accept_loss(installation, SCAN.name, (partition + 1) % installation.partitions, "nurse")


@pytest.mark.parametrize(("start", "end", "at"), [(0, 0, 0), (0, 9, 9), (3, 9, 3), (3, 9, 5), (9, 9, 9)])
def test_a_position_inside_its_log_has_no_loss(start: int, end: int, at: int) -> None:
    stand = Stand(
        topic="t", partition=0, cluster_id="c", next_offset=at, log_cluster_id="c", log_start=start, log_end=end
    )
    assert stand.loss == ""
    assert stand.lag == end - at
    assert msgspec.structs.replace(stand, log_cluster_id="d").loss != ""
