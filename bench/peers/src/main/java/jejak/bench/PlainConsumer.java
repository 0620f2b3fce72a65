// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The plain Java consumer and HashMaps, one thread. */
final class PlainConsumer {
    private static final class Hour {
        int ins;
        int outs;
        final Set<String> visitors = new HashSet<>();
    }

    private static final class Facility {
        int occupancy;
        final Map<String, Hour> hours = new HashMap<>();
    }

    private PlainConsumer() {}

    static void run(Task task, Stopwatch watch) throws Exception {
        Properties properties = task.kafka();
        properties.put("group.id", task.text("group"));
        properties.put("auto.offset.reset", "earliest");
        properties.put("enable.auto.commit", "true");
        properties.put("max.poll.records", "5000");
        properties.put("max.partition.fetch.bytes", "4194304");
        Map<String, Facility> facilities = new HashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(task.text("topic")), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    watch.start();
                }
            });
            while (!watch.isOver()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<byte[], byte[]> record : records) {
                    count(facilities, Scan.readFew(record.value()));
                }
                watch.count(records.count());
            }
        }
        write(task, facilities);
    }

    private static void count(Map<String, Facility> facilities, Scan scan) {
        if (!scan.admitted) {
            return;
        }
        Facility facility = facilities.computeIfAbsent(scan.facilityId, unused -> new Facility());
        Hour hour = facility.hours.computeIfAbsent(scan.at.substring(0, 13), unused -> new Hour());
        if (scan.gate.equals("entrance")) {
            hour.ins++;
            facility.occupancy++;
        } else if (scan.gate.equals("exit")) {
            hour.outs++;
            facility.occupancy--;
        }
        hour.visitors.add(scan.personId);
    }

    private static void write(Task task, Map<String, Facility> facilities) throws Exception {
        try (BufferedWriter out = Files.newBufferedWriter(Path.of(task.text("out")))) {
            for (Map.Entry<String, Facility> entry : facilities.entrySet()) {
                String id = entry.getKey();
                out.write(id + "|" + entry.getValue().occupancy + "\n");
                for (Map.Entry<String, Hour> at : entry.getValue().hours.entrySet()) {
                    Hour hour = at.getValue();
                    out.write(String.join("|", id, at.getKey(), "" + hour.ins, "" + hour.outs, "" + hour.visitors.size())
                            + "\n");
                }
            }
        }
    }
}
