// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Starts a topology, waits until all records are done, reads the result, and removes what it left on the broker. */
final class Running {
    interface Result {
        void read(KafkaStreams streams) throws Exception;
    }

    private Running() {}

    static Properties properties(Task task) throws IOException {
        Properties properties = task.kafka();
        properties.put("application.id", task.text("group"));
        properties.put("state.dir", Path.of(task.text("folder"), "streams").toString());
        properties.put("num.stream.threads", task.text("threads"));
        properties.put("replication.factor", "1");
        properties.put("statestore.cache.max.bytes", String.valueOf(64 << 20));
        properties.put("consumer.auto.offset.reset", "earliest");
        properties.put("consumer.max.poll.records", "5000");
        properties.put("consumer.max.partition.fetch.bytes", "4194304");
        properties.put("producer.linger.ms", "20");
        properties.put("producer.batch.size", String.valueOf(256 << 10));
        return properties;
    }

    static void run(Topology topology, Properties properties, Task task, Stopwatch watch, Result result)
            throws Exception {
        try (KafkaStreams streams = new KafkaStreams(topology, properties)) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
                return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
            });
            streams.start();
            watch.await();
            result.read(streams);
            streams.close(Duration.ofSeconds(20));
            streams.cleanUp();
        }
        try (Admin admin = Admin.create(task.kafka())) {
            List<String> ours = admin.listTopics().names().get().stream()
                    .filter(name -> name.startsWith(task.text("group")))
                    .toList();
            admin.deleteTopics(ours).all().get();
        }
    }
}
