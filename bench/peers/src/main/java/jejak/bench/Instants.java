// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.time.Instant;
import java.time.OffsetDateTime;

/** Instants as microseconds since 1970. Indonesia's zones are whole hours from UTC, so UTC's hours are theirs. */
final class Instants {
    static final long MINUTE = 60_000_000L;
    static final long HOUR = 60 * MINUTE;
    static final long DAY = 24 * HOUR;

    private Instants() {}

    static long of(String text) {
        Instant at = text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant();
        return at.getEpochSecond() * 1_000_000L + at.getNano() / 1_000;
    }

    static long hourOf(long at) {
        return at - Math.floorMod(at, HOUR);
    }
}
