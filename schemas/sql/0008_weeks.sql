-- Two workers may need the same new week at the same moment. The second waits for the first, and may still remember
-- that there was no such table: what it then finds there is what it wanted.

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
    begin
        execute format('create table %I partition of visit for values from (%L) to (%L)', name,
            monday::timestamp at time zone 'UTC', (monday + 7)::timestamp at time zone 'UTC');
        execute format('alter table %I set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02)', name);
        execute format('grant select, insert, delete on %I to jejak_visits', name);
    exception when duplicate_table then
        null;
    end;
    return name;
end $$;
