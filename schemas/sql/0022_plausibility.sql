-- What cannot be: which gate a phone read, who says what of a scan and in which order, posters whose earlier scans
-- have still to be flagged, and the flagged scans as a facility sees them.

alter table scan add column gate_no int;  -- of the facility's gates, where a poster's token said it
create index scan_by_gate on scan (facility_no, gate_no, at) where gate_no is not null;
create index scan_by_device on scan (device_id, at) where gate_no is not null and device_id <> '';
create index facility_hour_flagged on facility_hour (facility_no, hour) where flagged > 0;
create index scan_flagged on scan_decision (scan_at) where decision = 'flag';

create table decision_serial (  -- one row: the serial of the decision taken last
    last bigint not null
);
create unique index decision_serial_is_one on decision_serial ((true));
insert into decision_serial values (0);

create function next_decision_serials(wanted int) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    update decision_serial set last = greatest(last, (extract(epoch from clock_timestamp()) * 1000000)::bigint) + wanted
    returning last - wanted + 1
$$;
comment on function next_decision_serials is 'The first of so many serials, above every one given before, whatever clocks do, and above those before a restore.';
revoke all on function next_decision_serials(int) from public;

alter table poster
    add column revoked_serial bigint,  -- the serial of the decision that revoked it, or revoked it from earlier on
    add column flagged_serial bigint;  -- of which the scans accepted before have been flagged
create index poster_to_follow on poster (facility_no) where revoked_serial is distinct from flagged_serial;

create function poster_is_followed() returns trigger language plpgsql as $$
begin
    if new.revoked_at is distinct from old.revoked_at then
        new.revoked_serial := next_decision_serials(1);
    end if;
    return new;
end $$;
create trigger poster_is_followed before update of revoked_at on poster
    for each row execute function poster_is_followed();
update poster set revoked_serial = next_decision_serials(1), flagged_serial = 0 where revoked_at is not null;

create view flagged_scan as  -- whom it was about is for the gate's decisions alone: no page shows `person`
    select h.facility_no, s.person, s.scan_id, s.at, s.gate, s.gate_no, s.zone, s.role, s.channel, s.assurance,
        s.admitted, f.reasons, f.flagged_at
    from (select distinct facility_no, hour from facility_hour where flagged > 0) h
    join lateral (
        select d.person, d.scan_id, array_agg(d.reason order by d.serial, d.by) as reasons, min(d.accepted_at) as flagged_at
        from scan_decision d
        where d.decision = 'flag' and d.scan_at >= h.hour and d.scan_at < h.hour + interval '1 hour'
        group by d.person, d.scan_id
    ) f on true
    join scan s on s.person = f.person and s.scan_id = f.scan_id and s.facility_no = h.facility_no
    where 'flag' = (
        select l.decision from scan_decision l where l.person = s.person and l.scan_id = s.scan_id
        order by l.serial desc, case l.decision when 'void' then 0 when 'flag' then 1 else 2 end limit 1);

create function stored_scan(whom uuid, which uuid) returns table (facility_no int, at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select s.facility_no, s.at from scan s where s.person = whom and s.scan_id = which
$$;
revoke all on function stored_scan(uuid, uuid) from public;

grant execute on function next_decision_serials(int), stored_scan(uuid, uuid) to jejak_gate;
grant select on flagged_scan to jejak_gate, jejak_ops;

grant usage on schema public to jejak_plausibility;
grant select on installation, alembic_version, facility, scan, scan_decision, poster, position to jejak_plausibility;
grant select (facility_no, latitude, longitude, capacity, opening_hours) on place to jejak_plausibility;
grant update (flagged_serial) on poster to jejak_plausibility;
