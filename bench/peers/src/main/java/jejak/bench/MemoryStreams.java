// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams, Processor API, in-memory stores, one task per partition and no repartitioning: a person lives in one
 * partition, so distinct visitors add up. With a changelog the small stores are cached, as their changelog asks for.
 */
final class MemoryStreams {
    private static final byte[] SEEN = new byte[0];
    private static final int CELLS = 3;

    private MemoryStreams() {}

    static void run(Task task, Stopwatch watch, boolean changelog) throws Exception {
        Topology topology = new Topology();
        topology.addSource("scans", new ByteArrayDeserializer(), new ByteArrayDeserializer(), task.text("topic"));
        topology.addProcessor("count", () -> new Counter(watch), "scans");
        topology.addStateStore(store("hours", Serdes.ByteArray(), changelog, changelog), "count");
        topology.addStateStore(store("occupancy", Serdes.Integer(), changelog, changelog), "count");
        topology.addStateStore(store("seen", Serdes.ByteArray(), changelog, false), "count");
        Running.run(topology, properties(task), task, watch, streams -> write(task, streams));
    }

    private static Properties properties(Task task) throws IOException {
        Properties properties = Running.properties(task);
        properties.put("processing.guarantee", "at_least_once");
        return properties;
    }

    private static <V> StoreBuilder<KeyValueStore<String, V>> store(
            String name, Serde<V> values, boolean logged, boolean cached) {
        StoreBuilder<KeyValueStore<String, V>> store =
                Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), Serdes.String(), values);
        StoreBuilder<KeyValueStore<String, V>> chosen =
                logged ? store.withLoggingEnabled(Map.of()) : store.withLoggingDisabled();
        return cached ? chosen.withCachingEnabled() : chosen.withCachingDisabled();
    }

    private static final class Counter implements Processor<byte[], byte[], Void, Void> {
        private final Stopwatch watch;
        private KeyValueStore<String, byte[]> hours;
        private KeyValueStore<String, Integer> occupancy;
        private KeyValueStore<String, byte[]> seen;

        Counter(Stopwatch watch) {
            this.watch = watch;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            hours = context.getStateStore("hours");
            occupancy = context.getStateStore("occupancy");
            seen = context.getStateStore("seen");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            watch.start();
            try {
                count(Scan.readFew(record.value()));
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            watch.count(1);
        }

        private void count(Scan scan) {
            if (!scan.admitted) {
                return;
            }
            String key = scan.facilityId + "|" + scan.at.substring(0, 13);
            byte[] before = hours.get(key);
            int[] cells = before == null ? new int[CELLS] : cells(before);
            int step = scan.gate.equals("entrance") ? 1 : scan.gate.equals("exit") ? -1 : 0;
            if (step != 0) {
                cells[step > 0 ? 0 : 1]++;
                Integer inside = occupancy.get(scan.facilityId);
                occupancy.put(scan.facilityId, (inside == null ? 0 : inside) + step);
            }
            if (seen.putIfAbsent(key + "|" + scan.personId, SEEN) == null) {
                cells[2]++;
            }
            hours.put(key, bytes(cells));
        }
    }

    private static int[] cells(byte[] bytes) {
        int[] cells = new int[CELLS];
        ByteBuffer.wrap(bytes).asIntBuffer().get(cells);
        return cells;
    }

    private static byte[] bytes(int[] cells) {
        ByteBuffer buffer = ByteBuffer.allocate(CELLS * Integer.BYTES);
        buffer.asIntBuffer().put(cells);
        return buffer.array();
    }

    /** Adds up what the tasks of all partitions hold. */
    private static void write(Task task, KafkaStreams streams) throws IOException {
        Map<String, int[]> hours = new TreeMap<>();
        Map<String, Integer> occupancy = new TreeMap<>();
        try (KeyValueIterator<String, byte[]> all = streams.store(StoreQueryParameters.fromNameAndType(
                        "hours", QueryableStoreTypes.<String, byte[]>keyValueStore()))
                .all()) {
            while (all.hasNext()) {
                KeyValue<String, byte[]> entry = all.next();
                int[] sum = hours.computeIfAbsent(entry.key, unused -> new int[CELLS]);
                int[] more = cells(entry.value);
                for (int i = 0; i < CELLS; i++) {
                    sum[i] += more[i];
                }
            }
        }
        try (KeyValueIterator<String, Integer> all = streams.store(StoreQueryParameters.fromNameAndType(
                        "occupancy", QueryableStoreTypes.<String, Integer>keyValueStore()))
                .all()) {
            all.forEachRemaining(entry -> occupancy.merge(entry.key, entry.value, Integer::sum));
        }
        try (BufferedWriter out = Files.newBufferedWriter(Path.of(task.text("out")))) {
            for (Map.Entry<String, int[]> entry : hours.entrySet()) {
                int[] cells = entry.getValue();
                out.write(entry.getKey() + "|" + cells[0] + "|" + cells[1] + "|" + cells[2] + "\n");
            }
            for (Map.Entry<String, Integer> entry : occupancy.entrySet()) {
                out.write(entry.getKey() + "|" + entry.getValue() + "\n");
            }
        }
    }
}
