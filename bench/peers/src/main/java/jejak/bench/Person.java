// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * Pairing of one person's scans as they come, in the order of time: the same rules as ours, but a scan out of order is
 * refused, where ours takes it. Remembers the closed visits that may still share a clock hour with the open one.
 */
final class Person {
    private static final long TWICE = 10 * Instants.MINUTE;
    private static final long[] ASSUMED = {240, 120, 120, 60};

    final List<Visit> closed = new ArrayList<>();
    Visit open;
    private long latest;
    private long latestAt = Long.MIN_VALUE;
    private long previousEnd = Long.MIN_VALUE;
    private int exitFacility = -1;
    private long exitAt;

    /** Takes the next scan that pairing sees. */
    void take(UUID scanId, int facility, byte kind, String gate, long at, String role) {
        if (at < latestAt) {
            throw new IllegalStateException("a scan out of order: this peer cannot take it");
        }
        latestAt = at;
        if (gate.equals("entrance")) {
            enter(scanId, facility, kind, at, role);
        } else {
            leave(scanId, facility, kind, at, role);
        }
    }

    /** All visits that are remembered, as they are to be stored. */
    List<Visit> visits() {
        List<Visit> all = new ArrayList<>(closed);
        if (open != null) {
            all.add(open.endedAt(estimatedEnd(), true));
        }
        return all;
    }

    private void enter(UUID scanId, int facility, byte kind, long at, String role) {
        exitFacility = -1;
        if (open != null && open.facility == facility && at - latest <= TWICE) {
            latest = at;
            return;
        }
        closeEstimated(at);
        open = new Visit(scanId, facility, kind, at, at, false, true, role);
        latest = at;
    }

    private void leave(UUID scanId, int facility, byte kind, long at, String role) {
        boolean again = exitFacility == facility && at - exitAt <= TWICE;
        exitFacility = facility;
        exitAt = at;
        if (again) {
            return;
        }
        if (open != null && open.facility == facility && at - open.checkIn <= longest(open.kind)) {
            close(open.endedAt(at, false));
            return;
        }
        closeEstimated(at);
        long checkIn = Math.max(at - assumed(kind), previousEnd);
        close(new Visit(scanId, facility, kind, checkIn, at, true, false, role));
    }

    private void closeEstimated(long at) {
        if (open != null) {
            close(open.endedAt(Math.min(estimatedEnd(), at), true));
        }
    }

    private void close(Visit visit) {
        open = null;
        previousEnd = visit.checkOut;
        closed.add(visit);
    }

    /** Forgets visits too old to share an hour with anything that still changes; call when a scan is done. */
    void forget() {
        closed.removeIf(visit -> visit.checkOut < latestAt - 6 * Instants.HOUR);
    }

    private long estimatedEnd() {
        return Math.max(open.checkIn + assumed(open.kind), latest);
    }

    private static long assumed(byte kind) {
        return ASSUMED[kind] * Instants.MINUTE;
    }

    private static long longest(byte kind) {
        return kind == 0 ? 30 * Instants.DAY : Instants.DAY;
    }

    byte[] toBytes() {
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(128);
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeLong(latest);
            out.writeLong(latestAt);
            out.writeLong(previousEnd);
            out.writeInt(exitFacility);
            out.writeLong(exitAt);
            out.writeBoolean(open != null);
            out.writeInt(closed.size());
            if (open != null) {
                write(out, open);
            }
            for (Visit visit : closed) {
                write(out, visit);
            }
            return bytes.toByteArray();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    static Person of(byte[] bytes) {
        Person person = new Person();
        if (bytes == null) {
            return person;
        }
        try {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            person.latest = in.readLong();
            person.latestAt = in.readLong();
            person.previousEnd = in.readLong();
            person.exitFacility = in.readInt();
            person.exitAt = in.readLong();
            boolean isOpen = in.readBoolean();
            int number = in.readInt();
            if (isOpen) {
                person.open = read(in);
            }
            for (int i = 0; i < number; i++) {
                person.closed.add(read(in));
            }
            return person;
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void write(DataOutputStream out, Visit visit) throws IOException {
        out.writeLong(visit.id.getMostSignificantBits());
        out.writeLong(visit.id.getLeastSignificantBits());
        out.writeInt(visit.facility);
        out.writeByte(visit.kind);
        out.writeLong(visit.checkIn);
        out.writeLong(visit.checkOut);
        out.writeBoolean(visit.inEstimated);
        out.writeBoolean(visit.outEstimated);
        out.writeUTF(visit.role);
    }

    private static Visit read(DataInputStream in) throws IOException {
        return new Visit(
                new UUID(in.readLong(), in.readLong()),
                in.readInt(),
                in.readByte(),
                in.readLong(),
                in.readLong(),
                in.readBoolean(),
                in.readBoolean(),
                in.readUTF());
    }
}
