// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** What a contender is told: a flat JSON object, the same for those in Python. */
final class Task {
    private final Map<String, String> values = new HashMap<>();

    static Task read(String path) throws IOException {
        Task task = new Task();
        try (JsonParser parser = new JsonFactory().createParser(new File(path))) {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                if (parser.currentToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    task.values.put(name, parser.getText());
                }
            }
        }
        return task;
    }

    String text(String name) {
        return values.get(name);
    }

    int number(String name) {
        return Integer.parseInt(values.get(name));
    }

    Properties kafka() throws IOException {
        String password = secret("kafka", text("user"));
        Properties properties = new Properties();
        properties.put("bootstrap.servers", text("kafka"));
        properties.put("security.protocol", "SASL_PLAINTEXT");
        properties.put("sasl.mechanism", "SCRAM-SHA-512");
        properties.put(
                "sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + text("user")
                        + "\" password=\"" + password + "\";");
        return properties;
    }

    String secret(String kind, String user) throws IOException {
        return Files.readString(Path.of(text("secrets"), kind, user)).strip();
    }
}
