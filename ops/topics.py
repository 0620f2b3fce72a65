"""Topics, Kafka users and access rules, made from the one table in `schemas/topics.py`: what is not there is denied.

Everything here may be run again: it makes what is missing, corrects what differs, and takes away a service's access
that the table no longer grants.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError, TopicAlreadyExistsError

from ops.secrets import ensure_secret
from ops.store import fix_partitions
from producers.client import client_config
from producers.refusals import explain, explain_start
from producers.topics import topic_options
from schemas.errors import BadInput, Conflict, Unavailable
from schemas.settings import Settings
from schemas.topics import ALERT_PREFIX, SERVICES, TOPICS, Topic, alert_topic, group_of, office_of, office_user

ADMIN = "admin"
MECHANISM = "SCRAM-SHA-512"
AT_ONCE = 100
READY_TIMEOUT_MS = 30_000


class Right(NamedTuple):
    """One access rule: `user` may do `operation` on what `name` names, or begins when `prefixed`."""

    user: str
    operation: ACLOperation
    resource: ResourceType
    name: str
    prefixed: bool = False


def make_topics(settings: Settings, areas: Iterable[str] = ()) -> list[str]:
    """Make all topics and the services' users, and topic and user of the health office of each area.

    Returns the names of the topics that were new.

    Raises:
        BadInput: an area is no code of a province or district.
        Conflict: the installation, or a topic, was made with another number of partitions.
    """
    offices = [_office(area) for area in areas]
    made_with = fix_partitions(settings)
    if made_with != settings.partitions:
        raise Conflict(
            f"this installation was made with {made_with} partitions, JEJAK_PARTITIONS says {settings.partitions}: "
            "the number never changes"
        )
    wanted = [*TOPICS, *(alert_topic(office) for office in offices)]
    with admin_client(settings) as admin:
        _make_users(settings, admin, [*SERVICES, *(office_user(office) for office in offices)])
        _grant(admin, [*service_rights(), *(right for office in offices for right in office_rights(office))])
        return _make_topics(settings, admin, wanted)


def empty_topics(settings: Settings) -> None:
    """Remove all our topics and make them again: what a test or a demo that starts anew needs. Offices' too."""
    with admin_client(settings) as admin:
        ours = {topic.name for topic in TOPICS}
        names = [name for name in admin.list_topics() if name in ours or name.startswith(ALERT_PREFIX)]
        if names:
            admin.delete_topics(names)
            _wait_until_gone(admin, set(names))
        offices = [name.removeprefix(ALERT_PREFIX) for name in names if name.startswith(ALERT_PREFIX)]
        _make_topics(settings, admin, [*TOPICS, *map(alert_topic, offices)])


def service_rights() -> list[Right]:
    """Return what the services may do, from the table of topics."""
    rights = [Right(user, ACLOperation.READ, ResourceType.GROUP, group_of(user), prefixed=True) for user in SERVICES]
    for topic in TOPICS:
        for users, operation in ((topic.writers, ACLOperation.WRITE), (topic.readers, ACLOperation.READ)):
            for user in users:
                rights.append(Right(user, operation, ResourceType.TOPIC, topic.name))
                rights.append(Right(user, ACLOperation.DESCRIBE, ResourceType.TOPIC, topic.name))
    # An office's topic may be first needed while the relay runs: it makes it, and writes to it.
    for user in alert_topic("").writers:
        operations = (ACLOperation.CREATE, ACLOperation.WRITE, ACLOperation.DESCRIBE)
        rights += [Right(user, each, ResourceType.TOPIC, ALERT_PREFIX, prefixed=True) for each in operations]
    return rights


def office_rights(office: str) -> list[Right]:
    """Return what a health office may do: read its own topic in its own groups, nothing else."""
    user, topic = office_user(office), alert_topic(office).name
    return [
        Right(user, ACLOperation.READ, ResourceType.GROUP, group_of(user), prefixed=True),
        Right(user, ACLOperation.READ, ResourceType.TOPIC, topic),
        Right(user, ACLOperation.DESCRIBE, ResourceType.TOPIC, topic),
    ]


@contextmanager
def admin_client(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Open a client with the administrator's rights; a broker that does not answer is `Unavailable`."""
    try:
        admin = KafkaAdminClient(**client_config(settings, ADMIN))
    except KafkaError as error:
        raise explain_start(error, settings, ADMIN) from error
    try:
        yield admin
    except KafkaError as error:
        raise explain(error, settings, ADMIN) from error
    finally:
        admin.close()


def _office(area: str) -> str:
    try:
        return office_of(area)
    except ValueError as error:
        raise BadInput(str(error), field="areas") from error


def _make_users(settings: Settings, admin: KafkaAdminClient, users: Sequence[str]) -> None:
    for start in range(0, len(users), AT_ONCE):
        answers = admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(user, MECHANISM, ensure_secret(settings, "kafka", user))
                for user in users[start : start + AT_ONCE]
            ]
        )
        for user, refused in answers.items():
            if refused:
                raise Unavailable(f"the broker does not make user {user}: {refused}")


def _grant(admin: KafkaAdminClient, rights: Sequence[Right]) -> None:
    users = {right.user for right in rights}
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, _ = admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
    wanted = {_key(_acl(right)): _acl(right) for right in rights}
    present = {_key(acl): acl for acl in found}
    missing = [acl for key, acl in wanted.items() if key not in present]
    surplus = [
        acl for key, acl in present.items() if key not in wanted and acl.principal.removeprefix("User:") in users
    ]
    for start in range(0, len(missing), AT_ONCE):
        if admin.create_acls(missing[start : start + AT_ONCE])["failed"]:
            raise Unavailable("the broker refuses an access rule")
    if surplus:
        admin.delete_acls(surplus)


def _acl(right: Right) -> ACL:
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    return ACL(
        principal=f"User:{right.user}",
        host="*",
        operation=right.operation,
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(right.resource, right.name, pattern),
    )


def _key(acl: ACL) -> tuple[object, ...]:
    pattern = acl.resource_pattern
    place = (pattern.resource_type, pattern.resource_name, pattern.pattern_type)
    return (acl.principal, acl.host, acl.operation, acl.permission_type, *place)


def _make_topics(settings: Settings, admin: KafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
    present = set(admin.list_topics())
    _check_partitions(settings, admin, [topic for topic in topics if topic.name in present])
    missing = [topic for topic in topics if topic.name not in present]
    for start in range(0, len(missing), AT_ONCE):
        _create(settings, admin, missing[start : start + AT_ONCE])
    if missing:
        admin.wait_for_topics([topic.name for topic in missing], timeout_ms=READY_TIMEOUT_MS)
    return [topic.name for topic in missing]


def _create(settings: Settings, admin: KafkaAdminClient, topics: Sequence[Topic]) -> None:
    try:
        admin.create_topics({topic.name: topic_options(settings, topic) for topic in topics})
    except TopicAlreadyExistsError:  # another `jejak topics` was faster with one of them
        _check_partitions(settings, admin, topics)


def _wait_until_gone(admin: KafkaAdminClient, names: set[str]) -> None:
    """Wait until the broker, which learns of it a moment after the controller, no longer lists them."""
    deadline = time.monotonic() + READY_TIMEOUT_MS / 1000
    while names & set(admin.list_topics()):
        if time.monotonic() > deadline:
            raise Unavailable("the broker does not remove its topics")
        time.sleep(0.05)


def _check_partitions(settings: Settings, admin: KafkaAdminClient, topics: Sequence[Topic]) -> None:
    if not topics:
        return
    found = {row["name"]: len(row["partitions"]) for row in admin.describe_topics([topic.name for topic in topics])}
    for topic in topics:
        wanted = topic.partitions or settings.partitions
        if found.get(topic.name, wanted) != wanted:
            raise Conflict(f"topic {topic.name} has {found[topic.name]} partitions instead of {wanted}")
    admin.alter_configs(
        [
            ConfigResource(ConfigResourceType.TOPIC, topic.name, topic_options(settings, topic)["configs"])
            for topic in topics
        ]
    )
