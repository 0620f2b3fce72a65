"""A producer whose retried records expired asks for a new producer id, and goes on.

kafka-python 3.0.12 gives its id up then, as it must, but forgets to ask for another: it sends nothing any more until
its process ends. Java's client begins anew there (KAFKA-7737), and so does this. It reaches into the pinned library;
`tests/producers/test_broker_dies.py` keeps a broker away longer than a record may take.
"""

from kafka import KafkaProducer
from kafka.producer.transaction_manager import TransactionState


def ask_anew_after_reset(producer: KafkaProducer) -> None:
    """See to it that this producer, an idempotent one, asks for an id again whenever it gives one up."""
    manager = producer._transaction_manager  # noqa: SLF001 — the reason of this module
    give_up = manager.reset_producer_id

    def reset_producer_id() -> None:
        with manager._lock:  # noqa: SLF001
            give_up()
            manager._current_state = TransactionState.UNINITIALIZED  # noqa: SLF001

    manager.reset_producer_id = reset_producer_id
