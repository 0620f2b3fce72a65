// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;

/** A scan as it lies on the topic; read with Jackson's streaming parser, the fastest way it has. */
final class Scan {
    private static final JsonFactory JSON = new JsonFactory();

    String scanId = "";
    String personId = "";
    String facilityId = "";
    String kind = "";
    String gate = "";
    String at = "";
    String zone = "";
    String groupId = "";
    String refusedReason = "";
    String role = "";
    String channel = "";
    String assurance = "";
    String deviceId = "";
    String enteredBy = "";
    String receivedAt = "";
    boolean admitted = true;

    /** Reads the fields the in-memory work needs. */
    static Scan readFew(byte[] body) throws IOException {
        return read(body, false);
    }

    /** Reads every field that is stored. */
    static Scan readAll(byte[] body) throws IOException {
        return read(body, true);
    }

    private static Scan read(byte[] body, boolean all) throws IOException {
        Scan scan = new Scan();
        try (JsonParser parser = JSON.createParser(body)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (name) {
                    case "person_id" -> scan.personId = parser.getText();
                    case "facility_id" -> scan.facilityId = parser.getText();
                    case "gate" -> scan.gate = parser.getText();
                    case "at" -> scan.at = parser.getText();
                    case "admitted" -> scan.admitted = value == JsonToken.VALUE_TRUE;
                    default -> {
                        if (all) {
                            scan.readMore(name, parser);
                        }
                    }
                }
            }
        }
        return scan;
    }

    private void readMore(String name, JsonParser parser) throws IOException {
        switch (name) {
            case "scan_id" -> scanId = parser.getText();
            case "kind" -> kind = parser.getText();
            case "zone" -> zone = parser.getText();
            case "group_id" -> groupId = parser.getText();
            case "refused_reason" -> refusedReason = parser.getText();
            case "role" -> role = parser.getText();
            case "channel" -> channel = parser.getText();
            case "assurance" -> assurance = parser.getText();
            case "device_id" -> deviceId = parser.getText();
            case "entered_by" -> enteredBy = parser.getText();
            case "received_at" -> receivedAt = parser.getText();
            default -> {}
        }
    }
}
