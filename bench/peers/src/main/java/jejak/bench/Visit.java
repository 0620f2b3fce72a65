// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.util.UUID;

/** A visit as it is stored; the open one ends, estimated, until a later scan says otherwise. */
final class Visit {
    final UUID id;
    final int facility;
    final byte kind;
    final long checkIn;
    final long checkOut;
    final boolean inEstimated;
    final boolean outEstimated;
    final String role;

    Visit(
            UUID id,
            int facility,
            byte kind,
            long checkIn,
            long checkOut,
            boolean inEstimated,
            boolean outEstimated,
            String role) {
        this.id = id;
        this.facility = facility;
        this.kind = kind;
        this.checkIn = checkIn;
        this.checkOut = checkOut;
        this.inEstimated = inEstimated;
        this.outEstimated = outEstimated;
        this.role = role;
    }

    Visit endedAt(long at, boolean estimated) {
        return new Visit(id, facility, kind, checkIn, at, inEstimated, estimated, role);
    }

    /** The facility, and the class of the stay in the last three bits. */
    int key() {
        long stay = checkOut - checkIn;
        int stayClass = stay <= Instants.HOUR ? 0 : stay <= 4 * Instants.HOUR ? 1 : 2;
        return facility * 8 + stayClass;
    }
}
