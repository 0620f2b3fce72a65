"""The errors of kafka-python in our own words."""

import re
from typing import Final

from kafka.errors import (
    AuthorizationError,
    GroupAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from producers.client import BOOTSTRAP_TIMEOUT_MS
from schemas.errors import BadInput, JejakError, Refused, Unavailable
from schemas.settings import Settings

_topic_name: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


def explain(error: Exception, settings: Settings, user: str, topic: str = "") -> JejakError:
    """Return our error for one of kafka-python's: what the caller should do, in one line, with no value of an event."""
    where = f"topic {topic}" if topic else settings.kafka
    if isinstance(error, AuthorizationError | SaslAuthenticationFailedError):
        return Refused(f"user {user} has no right to {_forbidden(error, where)}")
    if isinstance(error, MessageSizeTooLargeError):
        return BadInput("is larger than a record may be", field="body")
    if isinstance(error, UnknownTopicOrPartitionError):
        return Unavailable(f"{where} is not there; `jejak topics` makes it")
    assert isinstance(error, KafkaError)
    return Unavailable(f"Kafka does not answer ({where}): {type(error).__name__}")


def explain_start(error: KafkaError, settings: Settings, user: str) -> JejakError:
    """Return our error for a client that could not be made; the library retries a wrong password until time is up."""
    if isinstance(error, AuthorizationError | SaslAuthenticationFailedError):
        return explain(error, settings, user)
    return Unavailable(
        f"no Kafka broker at {settings.kafka} answers user {user} within {BOOTSTRAP_TIMEOUT_MS // 1000} s"
    )


def _forbidden(error: AuthorizationError | SaslAuthenticationFailedError, where: str) -> str:
    if isinstance(error, GroupAuthorizationFailedError):
        return "this consumer group"
    if isinstance(error, SaslAuthenticationFailedError):
        return f"{where} with this password"
    if isinstance(error, TopicAuthorizationFailedError) and error.args:
        named = error.args[0]  # a set of names, a name, or the whole request
        names = sorted(named) if isinstance(named, set) else [named]
        if all(_topic_name.fullmatch(str(name)) for name in names):
            return f"topic {', '.join(names)}"
    return where
