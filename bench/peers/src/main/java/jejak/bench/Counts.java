// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The counts of clock hours, and what a change of one person's visits adds to them. */
final class Counts {
    static final int ARRIVALS = 0;
    static final int DEPARTURES = 1;
    static final int ESTIMATED = 2;
    static final int VISITORS = 3;
    static final int PERSON_US = 4;
    static final int REFUSED = 5;
    static final int MANUAL = 6;
    static final int FLAGGED = 7;
    static final int CELLS = 8;

    record Hour(int facility, long hour) {
        byte[] toBytes() {
            return ByteBuffer.allocate(12).putInt(facility).putLong(hour).array();
        }
    }

    private Counts() {}

    /** Adds (sign 1) or takes away (sign -1) what these visits of one person count. */
    static void add(Map<Hour, long[]> sum, List<Visit> visits, int sign) {
        Map<Hour, long[]> person = new HashMap<>();
        for (Visit visit : visits) {
            long[] arrival = at(person, visit.facility, Instants.hourOf(visit.checkIn));
            arrival[ARRIVALS]++;
            arrival[ESTIMATED] += visit.inEstimated ? 1 : 0;
            long[] departure = at(person, visit.facility, Instants.hourOf(visit.checkOut));
            departure[DEPARTURES]++;
            departure[ESTIMATED] += visit.outEstimated ? 1 : 0;
            long start = visit.checkIn;
            while (start < visit.checkOut) {
                long hour = Instants.hourOf(start);
                long stop = Math.min(hour + Instants.HOUR, visit.checkOut);
                long[] inside = at(person, visit.facility, hour);
                inside[VISITORS] = 1;
                inside[PERSON_US] += stop - start;
                start = stop;
            }
        }
        person.forEach((hour, cells) -> {
            long[] total = sum.computeIfAbsent(hour, unused -> new long[CELLS]);
            for (int i = 0; i < CELLS; i++) {
                total[i] += sign * cells[i];
            }
        });
    }

    static long[] at(Map<Hour, long[]> counts, int facility, long hour) {
        return counts.computeIfAbsent(new Hour(facility, hour), unused -> new long[CELLS]);
    }

    static long[] of(byte[] bytes) {
        long[] cells = new long[CELLS];
        if (bytes != null) {
            ByteBuffer.wrap(bytes).asLongBuffer().get(cells);
        }
        return cells;
    }

    static byte[] bytes(long[] cells) {
        ByteBuffer buffer = ByteBuffer.allocate(CELLS * Long.BYTES);
        buffer.asLongBuffer().put(cells);
        return buffer.array();
    }
}
