"""Makes a topic of the one table on the broker, once. What its rights and users are is `ops`' business."""

from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from producers.client import client_config
from producers.refusals import explain, explain_start
from schemas.settings import Settings
from schemas.topics import Topic


def ensure_topic(settings: Settings, user: str, topic: Topic) -> bool:
    """Make `topic` if the broker has none of that name; return whether it was made now.

    Raises:
        Unavailable: no broker answers.
        Refused: the user may not make topics.
    """
    try:
        admin = KafkaAdminClient(**client_config(settings, user))
    except KafkaError as error:
        raise explain_start(error, settings, user) from error
    try:
        admin.create_topics({topic.name: topic_options(settings, topic)})
        admin.wait_for_topics([topic.name])
    except TopicAlreadyExistsError:
        return False
    except KafkaError as error:
        raise explain(error, settings, user, topic.name) from error
    finally:
        admin.close()
    return True


def topic_options(settings: Settings, topic: Topic) -> dict[str, Any]:
    """Return partitions, replicas and configuration of `topic` in this installation, as the admin client wants them."""
    return {
        "num_partitions": topic.partitions or settings.partitions,
        "replication_factor": settings.replication,
        "configs": topic.config() | {"min.insync.replicas": str(max(1, settings.replication - 1))},
    }
