-- The fold's fast path: one small row per person says where pairing stands, so that scans in order need no history.

create table pairing (
    person uuid primary key,
    state  text  -- JSON, `tracing.fast.State`; null: not known, the next record of this person makes it anew
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
comment on table pairing is 'Where pairing stands, per person; no row: nothing of him is stored. Written under his partition''s position lock.';
insert into pairing (person) select person from scan union select person from scan_decision;

grant select, insert, update on pairing to jejak_visits;
grant select on pairing to jejak_ops;

-- Facilities are never deleted and the fold takes their numbers from the table itself: checking each row of scans and
-- counts again cost a tenth of the transaction. Nothing reads scans by (person, at).
alter table scan drop constraint scan_facility_no_fkey;
alter table facility_hour drop constraint facility_hour_facility_no_fkey;
drop index scan_by_person_at;

-- The fold writes and deletes visits in their week's own table: planning for every week there is costs more than the rows.
create or replace function make_visit_partition(day date) returns text
language plpgsql security definer set search_path = public as $$
declare
    monday date := date_trunc('week', day)::date;
    name text := format('visit_%s', to_char(monday, 'IYYY"w"IW'));
begin
    if to_regclass(name) is not null then
        return name;
    end if;
    perform pg_advisory_xact_lock(hashtext('make_visit_partition'));
    if to_regclass(name) is null then
        execute format('create table %I partition of visit for values from (%L) to (%L)', name,
            monday::timestamp at time zone 'UTC', (monday + 7)::timestamp at time zone 'UTC');
        execute format('alter table %I set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02)', name);
        execute format('grant select, insert, delete on %I to jejak_visits', name);
    end if;
    return name;
end $$;
do $$
declare week regclass;
begin
    for week in select inhrelid::regclass from pg_inherits where inhparent = 'visit'::regclass loop
        execute format('grant select, insert, delete on %s to jejak_visits', week);
    end loop;
end $$;
