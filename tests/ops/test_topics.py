"""Topics, users and access rules: exactly those of the table, made again without harm, never with another N."""

from collections.abc import Callable, Iterator

import msgspec
import pytest
from kafka import TopicPartition
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    OffsetSpec,
    ResourcePatternFilter,
    ResourceType,
)

from ops.commands.topics import read_areas
from ops.embedded import Servers
from ops.topics import Right, _acl, _grant, admin_client, empty_topics, make_topics, office_rights, service_rights
from portal.nik import known_regions
from producers.sender import Sender
from schemas.errors import BadInput, Conflict
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, SCAN, SERVICES, TOPICS, alert_topic, office_user

OFFICES = {"p36", "d3671", "d3171"}  # those of the session's servers


@pytest.fixture
def settings(servers: Servers, installation: Settings) -> Iterator[Settings]:
    yield installation
    make_topics(servers.settings)


def rules(settings: Settings) -> set[tuple[str, int, int, str, bool]]:
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    with admin_client(settings) as admin:
        found, _ = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
    assert all(acl.permission_type == ACLPermissionType.ALLOW and acl.host == "*" for acl in found)
    return {
        (
            acl.principal,
            acl.operation,
            acl.resource_pattern.resource_type,
            acl.resource_pattern.resource_name,
            acl.resource_pattern.pattern_type == ACLResourcePatternType.PREFIXED,
        )
        for acl in found
    }


def as_rule(right: Right) -> tuple[str, int, int, str, bool]:
    return (f"User:{right.user}", right.operation, right.resource, right.name, right.prefixed)


def test_the_broker_has_exactly_the_topics_of_the_table_and_the_offices(settings: Settings) -> None:
    with admin_client(settings) as admin:
        found = {row["name"]: row for row in admin.describe_topics()}
    names = {name for name in found if not name.startswith("__")}
    offices = {name for name in names if name.startswith(ALERT_PREFIX)}  # other tests' offices may be among them
    assert names - offices == {topic.name for topic in TOPICS}
    assert offices >= {alert_topic(office).name for office in OFFICES}
    for topic in TOPICS:
        assert len(found[topic.name]["partitions"]) == settings.partitions
    assert len(found["alert.d3671"]["partitions"]) == 1


def test_each_topic_has_the_configuration_of_the_table(settings: Settings) -> None:
    with admin_client(settings) as admin:
        for topic in TOPICS:
            shown = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
            found = shown["topic"][topic.name]
            for name, value in topic.config().items():
                assert str(found[name]["value"]) == value, (topic.name, name)


def test_the_broker_grants_exactly_what_the_table_says(settings: Settings) -> None:
    wanted = {as_rule(right) for right in service_rights()}
    wanted |= {as_rule(right) for office in OFFICES for right in office_rights(office)}
    assert rules(settings) == wanted


def test_only_writers_write_and_only_readers_read() -> None:
    for topic in TOPICS:
        named = [
            right for right in service_rights() if right.resource == ResourceType.TOPIC and right.name == topic.name
        ]
        assert {right.user for right in named if right.operation == ACLOperation.WRITE} == set(topic.writers)
        assert {right.user for right in named if right.operation == ACLOperation.READ} == set(topic.readers)


def test_a_right_that_the_table_no_longer_grants_is_taken_away(settings: Settings) -> None:
    surplus = Right("standing", ACLOperation.READ, ResourceType.TOPIC, SCAN.name)
    with admin_client(settings) as admin:
        admin.create_acls([_acl(surplus)])
        assert as_rule(surplus) in rules(settings)
        _grant(admin, service_rights())
    assert as_rule(surplus) not in rules(settings)
    assert {as_rule(right) for right in office_rights("d3671")} <= rules(settings)


def test_made_again_nothing_is_new_and_a_changed_retention_is_put_right(settings: Settings) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, SCAN.name, {"retention.ms": "1000"})
    with admin_client(settings) as admin:
        admin.alter_configs([resource])
    assert make_topics(settings, ["36.71"]) == []
    with admin_client(settings) as admin:
        shown = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, SCAN.name)])
    assert str(shown["topic"][SCAN.name]["retention.ms"]["value"]) == SCAN.config()["retention.ms"]


def test_a_new_offices_topic_and_user_are_made(settings: Settings) -> None:
    assert make_topics(settings, ["51.71"]) == ["alert.d5171"]
    with admin_client(settings) as admin:
        users = admin.describe_user_scram_credentials()
        admin.delete_topics(["alert.d5171"])
    assert {*SERVICES, office_user("d5171")} <= set(users)
    assert settings.secret_file("kafka", office_user("d5171")).stat().st_mode & 0o777 == 0o600


def test_another_number_of_partitions_stops_everything(settings: Settings) -> None:
    other = msgspec.structs.replace(settings, partitions=settings.partitions + 1)
    with pytest.raises(Conflict, match="made with 12 partitions"):
        make_topics(other)


def test_a_topic_made_with_another_number_of_partitions_is_found(
    settings: Settings, fresh_database: Callable[[], Settings]
) -> None:
    other = msgspec.structs.replace(settings, partitions=5, database=fresh_database().database)
    with pytest.raises(Conflict, match="has 12 partitions instead of 5"):
        make_topics(other)


def test_emptied_topics_are_there_and_hold_nothing(settings: Settings) -> None:
    with Sender(settings, "gate") as sender:
        sender.confirm([sender.send(SCAN.name, b"key", b"value", partition=0)])
    empty_topics(settings)
    with admin_client(settings) as admin:
        places = [TopicPartition(SCAN.name, number) for number in range(settings.partitions)]
        ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
    assert {end.offset for end in ends.values()} == {0}


@pytest.mark.parametrize("text", ["9", "36.7", "36.99", "x", "36,,99"])
def test_an_area_that_never_was_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match="areas"):
        read_areas(text)


def test_areas_are_read_with_and_without_dots_and_all_is_every_one() -> None:
    regions = known_regions()
    assert read_areas("36, 3671,36.71") == ["36", "36.71", "36.71"]
    assert read_areas("") == []
    assert set(read_areas("all")) == regions.provinces | regions.districts
