// SPDX-License-Identifier: Apache-2.0
package jejak.bench;

import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;

/**
 * Writes to our tables with batched statements that the driver rewrites to multi-row ones, idempotent (upserts of
 * absolute values), one transaction a flush: what a JDBC sink connector does.
 */
final class Sink implements AutoCloseable {
    private static final String SCAN = "insert into scan (person, scan_id, facility_no, gate, at, zone, admitted, role,"
            + " channel, digest, accepted_at, group_id, refused_reason, assurance, device_id, device_seq,"
            + " poster_version, entered_by, received_at) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            + " on conflict (person, scan_id) do nothing";
    private static final String GONE = "delete from visit v using unnest(?::uuid[], ?::timestamptz[], ?::uuid[])"
            + " as gone (person, check_in, visit_id) where v.person = gone.person and v.check_in = gone.check_in"
            + " and v.visit_id = gone.visit_id";
    private static final String COME = "insert into visit (key, person, check_in, check_out, visit_id,"
            + " check_in_estimated, check_out_estimated, role) values (?,?,?,?,?,?,?,?)";
    private static final String COUNT = "insert into facility_hour (facility_no, hour, shard, arrivals, departures,"
            + " estimated, visitors, person_us, refused, manual, flagged) values (?,?,?,?,?,?,?,?,?,?,?)"
            + " on conflict (facility_no, hour, shard) do update set arrivals = excluded.arrivals,"
            + " departures = excluded.departures, estimated = excluded.estimated, visitors = excluded.visitors,"
            + " person_us = excluded.person_us, refused = excluded.refused, manual = excluded.manual,"
            + " flagged = excluded.flagged";

    private final Connection connection;
    private final Set<Long> weeks = new HashSet<>();
    private PreparedStatement scans;
    private final Map<UUID, Row> visits = new LinkedHashMap<>();
    private final Map<Counts.Hour, long[]> counts = new HashMap<>();
    private final MessageDigest digest;
    private int buffered;

    private record Row(UUID person, Visit stored, Visit now) {}

    Sink(Task task) throws SQLException, IOException, NoSuchAlgorithmException {
        Properties properties = new Properties();
        properties.put("user", "jejak_visits");
        properties.put("password", task.secret("database", "jejak_visits"));
        properties.put("reWriteBatchedInserts", "true");
        // A plan kept from when the tables were empty would read them whole.
        properties.put("options", "-c plan_cache_mode=force_custom_plan");
        connection = DriverManager.getConnection("jdbc:" + task.text("database"), properties);
        connection.setAutoCommit(false);
        scans = connection.prepareStatement(SCAN);
        digest = MessageDigest.getInstance("MD5");
    }

    Map<String, Integer> facilities() throws SQLException {
        Map<String, Integer> numbers = new HashMap<>();
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("select facility_id, facility_no from facility")) {
            while (rows.next()) {
                numbers.put(rows.getString(1), rows.getInt(2));
            }
        }
        connection.commit();
        return numbers;
    }

    int buffered() {
        return buffered;
    }

    void scan(Scan scan, UUID person, UUID scanId, int facility, byte[] body, long acceptedAt) throws SQLException {
        digest.update(body);
        Object[] values = {
            person, scanId, facility, scan.gate, time(scan.at), scan.zone, scan.admitted, scan.role, scan.channel,
            uuid(digest.digest()), new Timestamp(acceptedAt), scan.groupId, scan.refusedReason, scan.assurance,
            scan.deviceId
        };
        for (int i = 0; i < values.length; i++) {
            scans.setObject(i + 1, values[i]);
        }
        scans.setNull(16, Types.BIGINT);
        scans.setNull(17, Types.INTEGER);
        scans.setString(18, scan.enteredBy);
        scans.setObject(19, time(scan.receivedAt));
        scans.addBatch();
        buffered++;
    }

    /** Remembers a changed visit; what was stored before this flush is deleted, only its last state is inserted. */
    void visit(UUID person, Visit before, Visit now) {
        Row row = visits.get(now.id);
        visits.put(now.id, new Row(person, row == null ? before : row.stored, now));
    }

    void counts(Counts.Hour hour, long[] absolute) {
        counts.put(hour, absolute);
    }

    void flush(int shard) throws SQLException {
        makeWeeks();
        scans.executeBatch();
        delete();
        try (PreparedStatement come = connection.prepareStatement(COME)) {
            for (Row row : visits.values()) {
                put(come, row.person, row.now);
            }
            come.executeBatch();
        }
        flushCounts(shard);
        connection.commit();
        visits.clear();
        counts.clear();
        buffered = 0;
    }

    private void delete() throws SQLException {
        List<Row> changed =
                visits.values().stream().filter(row -> row.stored != null).toList();
        if (changed.isEmpty()) {
            return;
        }
        try (PreparedStatement gone = connection.prepareStatement(GONE)) {
            gone.setArray(1, array("uuid", changed, row -> row.person));
            gone.setArray(2, array("text", changed, row -> time(row.stored.checkIn).toString()));
            gone.setArray(3, array("uuid", changed, row -> row.stored.id));
            gone.executeUpdate();
        }
    }

    private Array array(String type, List<Row> rows, Function<Row, Object> value) throws SQLException {
        return connection.createArrayOf(type, rows.stream().map(value).toArray());
    }

    private void flushCounts(int shard) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(COUNT)) {
            for (Map.Entry<Counts.Hour, long[]> entry : counts.entrySet()) {
                statement.setInt(1, entry.getKey().facility());
                statement.setObject(2, time(entry.getKey().hour()));
                statement.setInt(3, shard);
                for (int i = 0; i < Counts.CELLS; i++) {
                    statement.setLong(4 + i, entry.getValue()[i]);
                }
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    private static void put(PreparedStatement come, UUID person, Visit visit) throws SQLException {
        come.setInt(1, visit.key());
        come.setObject(2, person);
        come.setObject(3, time(visit.checkIn));
        come.setObject(4, time(visit.checkOut));
        come.setObject(5, visit.id);
        come.setBoolean(6, visit.inEstimated);
        come.setBoolean(7, visit.outEstimated);
        come.setString(8, visit.role);
        come.addBatch();
    }

    private void makeWeeks() throws SQLException {
        for (Row row : visits.values()) {
            long day = Math.floorDiv(row.now.checkIn, Instants.DAY);
            long week = day - Math.floorMod(day + 3, 7);
            if (weeks.add(week)) {
                try (PreparedStatement make =
                        connection.prepareStatement("select make_visit_partition(date '1970-01-01' + ?)")) {
                    make.setInt(1, (int) week);
                    make.execute();
                    connection.commit();
                } catch (SQLException error) {
                    connection.rollback();
                    if (!"42P07".equals(error.getSQLState())) { // another thread was faster: it is there
                        throw error;
                    }
                }
            }
        }
    }

    private static OffsetDateTime time(String text) {
        return OffsetDateTime.parse(text);
    }

    private static OffsetDateTime time(long us) {
        Instant at = Instant.ofEpochSecond(Math.floorDiv(us, 1_000_000L), Math.floorMod(us, 1_000_000L) * 1_000L);
        return at.atOffset(ZoneOffset.UTC);
    }

    private static UUID uuid(byte[] bytes) {
        java.nio.ByteBuffer buffer = java.nio.ByteBuffer.wrap(bytes);
        return new UUID(buffer.getLong(), buffer.getLong());
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
