"""What the page says of the goals of the streams that are hard to reach: what was tried, and what the profile says."""

from typing import Final

TEXT: Final = """\
### What was tried, and what the profile says

CPU µs a scan of the durable fold, batches of 5,000 of one partition (`docs/batches.md` has the small ones),
measured on a busy machine: the worker 27 (before: 35), PostgreSQL 12.5 (before: 13.5). The worker's: checking and
decoding 7 (of it 1.3 for the patterns of two ids), pairing, counting and the differences 6.5, rows for COPY 4.5,
events of visits and counts 3, sums and the counts' statement 2.5, the rest bookkeeping. PostgreSQL's: COPY of scans
3.5, counts 3.2, visits 2.7, pairing rows 2.4, outbox 1.4. The flush at commit is waiting, not work.

- **Two transactions at once** (`docs/batches.md`): while one waits for PostgreSQL or the flush of its commit, the
  other computes. Waiting, not CPU, was what ours was behind confluent-kafka by: both spend the same in the same
  transaction.
- **A quarter less Python**: a batch is checked at once; instant, person and digest are computed once; arrays are
  written as JSON in other brackets; a person's earlier visits are built only where they share an hour with what
  changes. The confluent-kafka contender runs the same fold and gains the same.
- **One statement for the counts of all partitions** instead of one each, which were half of PostgreSQL's work at
  100 scans a transaction.
- **Against bare COPY**: COPY of the scan's row takes 3.5 of the 40 µs, the rest makes it a visit, counts and
  events. One process cannot go below its own Python; with PostgreSQL's work wholly beside it, that is the ceiling.
  Two workers fold 1.34 times what one does here, where broker, database and both workers share two cores.
- **Against Kafka Streams in memory**: 0.4 % short cold and 2.6 % warm at a million scans, on a machine that others
  used too. Its CPU a scan is 10.8 µs, ours 4.8: the 0.35 of the goal would be 3.8, and confluent-kafka with the same
  dicts and nothing around them takes 3.0.
- **Against Bytewax**: the peer decodes a batch at once and counts in `stateful_batch`. 2.5 times its 137,000 scans/s
  would be 342,000, more than librdkafka with the same dicts and no framework at all reaches (326,000).
- **Against stock Faust's `take`**: 63 µs a scan against 5.7, or 11 times; on a slice of 100,000 our start is in it
  (the second half runs at 357,000/s, 23 times theirs).
"""
