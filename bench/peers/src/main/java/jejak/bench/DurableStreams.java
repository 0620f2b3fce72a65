// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams with changelogged stores doing our fold (dedup, pairing, counts), and a JDBC sink to our tables. */
final class DurableStreams {
    private static final byte[] SEEN = new byte[0];
    private static final int SINK_BATCH = 5_000;
    private static final long AGE_NANOS = 1_000_000_000L;
    private static final AtomicLong PROCESSED = new AtomicLong();
    private static final Map<String, Byte> KINDS =
            Map.of("hospital", (byte) 0, "puskesmas", (byte) 1, "clinic", (byte) 2, "laboratory", (byte) 3);

    private DurableStreams() {}

    static void run(Task task, Stopwatch watch, String guarantee) throws Exception {
        Topology topology = new Topology();
        topology.addSource("scans", new ByteArrayDeserializer(), new ByteArrayDeserializer(), task.text("topic"));
        topology.addProcessor("fold", () -> new Fold(task, watch), "scans");
        topology.addStateStore(store("scans-seen", false), "fold");
        topology.addStateStore(store("persons", true), "fold");
        topology.addStateStore(store("hours", true), "fold");
        Properties properties = Running.properties(task);
        properties.put("processing.guarantee", guarantee);
        Running.run(topology, properties, task, watch, streams -> {});
    }

    private static StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name, boolean cached) {
        StoreBuilder<KeyValueStore<byte[], byte[]>> store = Stores.keyValueStoreBuilder(
                        Stores.inMemoryKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray())
                .withLoggingEnabled(Map.of());
        return cached ? store.withCachingEnabled() : store.withCachingDisabled();
    }

    private static final class Fold implements Processor<byte[], byte[], Void, Void> {
        private final Task task;
        private final Stopwatch watch;
        private KeyValueStore<byte[], byte[]> seen;
        private KeyValueStore<byte[], byte[]> persons;
        private KeyValueStore<byte[], byte[]> hours;
        private Map<String, Integer> facilities;
        private Sink sink;
        private int shard;
        private int unsaid;
        private long flushed = System.nanoTime();

        Fold(Task task, Stopwatch watch) {
            this.task = task;
            this.watch = watch;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            seen = context.getStateStore("scans-seen");
            persons = context.getStateStore("persons");
            hours = context.getStateStore("hours");
            shard = context.taskId().partition();
            try {
                sink = new Sink(task);
                facilities = sink.facilities();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            context.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, unused -> flushIfDue());
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            watch.start();
            try {
                fold(record.value(), record.timestamp());
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            unsaid++;
            PROCESSED.incrementAndGet();
            if (sink.buffered() >= SINK_BATCH) {
                flush();
            }
        }

        private void fold(byte[] body, long acceptedAt) throws Exception {
            Scan scan = Scan.readAll(body);
            UUID person = uuid(scan.personId);
            UUID scanId = UUID.fromString(scan.scanId);
            if (seen.putIfAbsent(bytes(person, scanId), SEEN) != null) {
                return;
            }
            int facility = facilities.get(scan.facilityId);
            sink.scan(scan, person, scanId, facility, body, acceptedAt);
            Map<Counts.Hour, long[]> changes = new HashMap<>();
            long at = Instants.of(scan.at);
            if (!scan.admitted) {
                Counts.at(changes, facility, Instants.hourOf(at))[Counts.REFUSED]++;
            } else if (scan.channel.equals("officer")) {
                Counts.at(changes, facility, Instants.hourOf(at))[Counts.MANUAL]++;
            }
            if (scan.admitted) {
                pair(scan, person, scanId, facility, at, changes);
            }
            add(changes);
        }

        private void pair(
                Scan scan, UUID person, UUID scanId, int facility, long at, Map<Counts.Hour, long[]> changes) {
            byte[] key = bytes(person);
            Person state = Person.of(persons.get(key));
            List<Visit> before = state.visits();
            state.take(scanId, facility, KINDS.get(scan.kind), scan.gate, at, scan.role);
            List<Visit> after = state.visits();
            Counts.add(changes, before, -1);
            Counts.add(changes, after, 1);
            Map<UUID, Visit> stored = new HashMap<>();
            before.forEach(visit -> stored.put(visit.id, visit));
            for (Visit visit : after) {
                Visit was = stored.get(visit.id);
                if (was == null || was.checkOut != visit.checkOut || was.outEstimated != visit.outEstimated) {
                    sink.visit(person, was, visit);
                }
            }
            state.forget();
            persons.put(key, state.toBytes());
        }

        private void add(Map<Counts.Hour, long[]> changes) {
            changes.forEach((hour, change) -> {
                boolean any = false;
                for (long cell : change) {
                    any |= cell != 0;
                }
                if (any) {
                    byte[] key = hour.toBytes();
                    long[] cells = Counts.of(hours.get(key));
                    for (int i = 0; i < Counts.CELLS; i++) {
                        cells[i] += change[i];
                    }
                    hours.put(key, Counts.bytes(cells));
                    sink.counts(hour, cells);
                }
            });
        }

        /** What has waited for a second is written, and everything when nothing more will come. */
        private void flushIfDue() {
            boolean isLast = PROCESSED.get() >= task.number("events");
            if (isLast || System.nanoTime() - flushed >= AGE_NANOS) {
                flush();
            }
        }

        private void flush() {
            flushed = System.nanoTime();
            if (unsaid == 0) {
                return;
            }
            try {
                sink.flush(shard);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
            watch.count(unsaid);
            unsaid = 0;
        }

        @Override
        public void close() {
            try {
                sink.close();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }
    }

    private static UUID uuid(String hex) {
        return new UUID(
                Long.parseUnsignedLong(hex, 0, 16, 16), Long.parseUnsignedLong(hex, 16, 32, 16));
    }

    private static byte[] bytes(UUID... ids) {
        ByteBuffer buffer = ByteBuffer.allocate(ids.length * 16);
        for (UUID id : ids) {
            buffer.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
        }
        return buffer.array();
    }
}
