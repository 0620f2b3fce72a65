"""Nobody gets in without credentials, and with them only where the table of topics and the grants say."""

import asyncio
from collections.abc import Callable

import psycopg2
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from kafka import KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors

from ops.embedded import Servers
from ops.secrets import read_secret
from ops.store import OPERATOR, OWNER, SERVICE_ROLES, SUPERUSER, connect
from producers.client import client_config
from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import SCAN, SERVICES, TEST_RESULT, alert_topic, group_of, office_user

SHORT_MS = 2_000
LOGIN = ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")


def log_in(settings: Settings, **changed: object) -> None:
    options = client_config(settings, "gate") | {"bootstrap_timeout_ms": SHORT_MS} | changed
    KafkaConsumer(**options).close()


def first_fetch(settings: Settings, user: str, topic: str, *, group: str = "") -> None:
    """Fetch once from the topic's start, as a worker does; an empty answer is fine, a refusal raises."""

    async def fetch() -> None:
        options = {key: value for key, value in client_config(settings, user).items() if key in LOGIN}
        group_id = group or f"{group_of(user)}.test"
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka, group_id=group_id, **options)
        try:
            await consumer.start()
            await consumer.getmany(timeout_ms=SHORT_MS // 4)
        finally:
            await consumer.stop()

    asyncio.run(fetch())


@pytest.mark.parametrize(
    "login",
    [
        {"security_protocol": "PLAINTEXT"},
        {"sasl_plain_password": "wrong"},
        {"sasl_plain_username": "nobody"},
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
    ],
    ids=lambda login: " ".join(login.values()),
)
def test_a_client_without_the_right_credentials_does_not_get_into_kafka(
    servers: Servers, login: dict[str, object]
) -> None:
    with pytest.raises(kafka_errors.KafkaError):
        log_in(servers.settings, **login)


def test_a_client_with_the_right_credentials_gets_into_kafka(servers: Servers) -> None:
    log_in(servers.settings)


@pytest.mark.parametrize("user", [service for service in SERVICES if service not in SCAN.readers])
def test_a_service_cannot_read_scans_that_are_not_for_it(servers: Servers, user: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        first_fetch(servers.settings, user, SCAN.name)


def test_the_service_of_a_topic_can_read_it(servers: Servers) -> None:
    first_fetch(servers.settings, "visits", SCAN.name)


@pytest.mark.parametrize("user", [service for service in SERVICES if service not in TEST_RESULT.writers])
def test_a_service_cannot_write_test_results(servers: Servers, user: str) -> None:
    producer = KafkaProducer(**client_config(servers.settings, user), enable_idempotence=False)
    with pytest.raises(kafka_errors.TopicAuthorizationFailedError):
        producer.send(TEST_RESULT.name, b"x", partition=0).get(timeout=10)
    producer.close()


def test_an_office_can_read_its_own_notices_and_no_others(servers: Servers) -> None:
    first_fetch(servers.settings, office_user("d3671"), alert_topic("d3671").name)
    with pytest.raises(TopicAuthorizationFailedError):
        first_fetch(servers.settings, office_user("d3671"), alert_topic("d3171").name)


def test_an_office_can_join_its_own_groups_and_no_others(servers: Servers) -> None:
    user, topic = office_user("d3671"), alert_topic("d3671").name
    first_fetch(servers.settings, user, topic, group=f"{group_of(user)}.reader")
    with pytest.raises(GroupAuthorizationFailedError):
        first_fetch(servers.settings, user, topic, group=f"{group_of(office_user('d3171'))}.reader")


def login(settings: Settings, **changed: str) -> None:
    host, _, port = settings.database.removeprefix("postgresql://").partition("/")[0].partition(":")
    options = {"host": host, "port": port, "dbname": "jejak", "user": SUPERUSER, "connect_timeout": "3"}
    psycopg2.connect(psycopg2.extensions.make_dsn(**(options | changed))).close()


@pytest.mark.parametrize("role", [SUPERUSER, OWNER, OPERATOR, *SERVICE_ROLES])
def test_no_role_gets_into_the_database_without_its_password(servers: Servers, role: str) -> None:
    for password in ("", "wrong", role):
        with pytest.raises(psycopg2.OperationalError):
            login(servers.settings, user=role, password=password)
    login(servers.settings, user=role, password=read_secret(servers.settings, "database", role))


def test_the_database_has_no_socket_file(servers: Servers) -> None:
    with pytest.raises(psycopg2.OperationalError):
        login(servers.settings, host=str(servers.settings.home / "postgres" / "data"))


@pytest.mark.parametrize("other", ["postgres", "template1"])
def test_a_service_cannot_use_another_database(servers: Servers, other: str) -> None:
    with pytest.raises(Unavailable):
        connect(servers.settings, "jejak_gate", database=other)
    connect(servers.settings, "jejak_gate").close()


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("jejak_visits", "select * from vault.person"),
        ("jejak_traces", "select * from vault.identifier"),
        ("jejak_relay", "select * from scan"),
        ("jejak_gate", "delete from visit"),
        ("jejak_gate", "insert into facility_hour select * from facility_hour"),
        ("jejak_ops", "select * from vault.person"),
        ("jejak_gate", "select * from vault.certificate"),
        ("jejak_gate", "select * from vault.dose"),
        ("jejak_ops", "select vault.ask_certificate('sari', 'curious', null)"),
        ("jejak_traces", "select vault.certificate(1, null)"),
        ("jejak_visits", "create table public.x (y int)"),
        ("jejak_gate", "create temporary table x (y int)"),
        ("jejak_visits", "alter table scan add column x int"),
        ("jejak_visits", "set role jejak_owner"),
    ],
)
def test_a_role_is_denied_what_is_not_granted(
    fresh_database: Callable[[], Settings], role: str, statement: str
) -> None:
    connection = connect(fresh_database(), role)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()
