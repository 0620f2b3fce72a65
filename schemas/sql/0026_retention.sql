-- Retention: what is over its time goes. Of scans and visits a carry per person is left, so that those to come are what
-- they would have been, and totals from which the audit goes on.

alter table position add column horizon timestamptz;
comment on column position.horizon is 'Of scan.v1: what is older goes, and is dead when it comes. Null: nothing has gone yet.';

create table carry (
    person uuid primary key,
    state  text not null,        -- JSON, `tracing.fast.State`: where pairing stood at the horizon
    until  timestamptz not null  -- at a horizon from here on there is less to carry, or nothing
);
create index carry_until on carry (until);
comment on table carry is 'What the scans to come can ask of those that went, per person. Written under his partition''s position lock.';

create table dropped_hour (like facility_hour including indexes);
comment on table dropped_hour is 'How much of `facility_hour` the visits and scans made that went: the rest is computed again by the audit.';

create table dropped_day (
    partition int not null,
    day       date not null,      -- UTC, of the scan; of a visit, of its end
    scans     bigint not null,
    decisions bigint not null,
    visits    bigint not null,
    hash      numeric(39) not null,  -- of each record that went one of 128 bits, all added, modulo 2^128
    primary key (partition, day)
);

create table dropped_letter (
    topic     text not null,
    partition int not null,
    letters   bigint not null,
    primary key (topic, partition)
);

create table retention_due (  -- whom the run under way has still to look at
    partition int not null,
    person    uuid not null,
    primary key (partition, person)
);

create table retention (  -- one row
    one    boolean primary key default true check (one),
    ran_at timestamptz not null default clock_timestamp()  -- when a run ended; at first, when the tables were made
);
insert into retention default values;

-- A week of visits is made with the rights of those who write in it, and goes when nothing is left in it.

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
        execute format('grant select, delete on %I to jejak_retention', name);
    exception when duplicate_table then
        null;
    end;
    return name;
end $$;
do $$
declare week regclass;
begin
    for week in select inhrelid::regclass from pg_inherits where inhparent = 'visit'::regclass loop
        execute format('grant select, delete on %s to jejak_retention', week);
    end loop;
end $$;

create function drop_empty_week(monday date) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    name text := format('visit_%s', to_char(monday, 'IYYY"w"IW'));
    is_filled boolean;
begin
    if to_regclass(name) is null then
        return false;
    end if;
    perform set_config('lock_timeout', '2s', true);
    lock table only visit in access exclusive mode;
    execute format('select exists (select from only %I)', name) into is_filled;
    if not is_filled then
        execute format('drop table %I', name);
    end if;
    return not is_filled;
exception when lock_not_available or deadlock_detected then
    return false;  -- another day
end $$;
comment on function drop_empty_week is 'Drops the week of visits that begins on this Monday, if nothing is in it and nobody holds the table for long.';

-- The audit of who looked at what: rows go from its beginning only, and what went is anchored.

create table audit_anchor (
    anchor_id bigint generated always as identity primary key,
    last_id   bigint not null,  -- of the rows that went
    last_hash bytea not null,   -- which the first row that is left continues
    rows      bigint not null,
    said_in   bigint not null,  -- the row of the audit that says so
    at        timestamptz not null default clock_timestamp()
);
comment on table audit_anchor is 'Where the chain of the audit begins after its oldest rows went; written by trim_audit alone.';

create or replace function audit_never_changes() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('jejak.trim_audit', true) = 'on' then
        return null;
    end if;
    raise exception 'the audit is append-only' using errcode = 'insufficient_privilege';
end $$;

create function trim_audit(who text, before timestamptz) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    last_one bigint;
    head bytea;
    gone bigint;
    said bigint;
begin
    perform pg_advisory_xact_lock(hashtext('audit'));
    -- The last row stays however old it is: the next one continues it.
    select max(id) into last_one from audit
    where id < coalesce((select min(id) from audit where at >= before), (select max(id) from audit));
    if last_one is null then
        return 0;
    end if;
    select hash into head from audit where id = last_one;
    select count(*) into gone from audit where id <= last_one;
    said := append_audit(who, 'audit trimmed', gone || ' rows', 'to ' || encode(head, 'hex'));
    perform set_config('jejak.trim_audit', 'on', true);
    delete from audit where id <= last_one;
    perform set_config('jejak.trim_audit', 'off', true);
    insert into audit_anchor (last_id, last_hash, rows, said_in) values (last_one, head, gone, said);
    return gone;
end $$;
comment on function trim_audit is 'Removes the rows of the audit from before an instant; a row of the audit and an anchor say so.';

-- Requests of persons that are over: what gates compare must never count backwards.

create table vault.forgotten (
    one      boolean primary key default true check (one),
    erasures bigint not null default 0
);
insert into vault.forgotten default values;

create or replace function vault.state() returns table (index_version int, master_version int, erased bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select (select version from vault.key where purpose = 'index' and state = 'current'),
        (select version from vault.key where purpose = 'master' and state = 'current'),
        (select count(*) from vault.erasure where done_at is not null) + (select erasures from vault.forgotten)
$$;

create function vault.forget(before timestamptz) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    delete from vault.erasure e where e.done_at < before;
    get diagnostics gone = row_count;
    update vault.forgotten set erasures = erasures + gone where gone > 0;
    delete from vault.ticket t where t.ends_at < clock_timestamp();
    return gone;
end $$;
comment on function vault.forget is 'Removes erasures that were carried out before an instant, and rights to see sealed values that are over.';
revoke all on function drop_empty_week(date), trim_audit(text, timestamptz), vault.forget(timestamptz) from public;

-- Who may

grant usage on schema public, vault to jejak_retention;
grant select on installation, facility, stay_rule, setting_dated, position, "case", trace, scan, scan_decision, visit, visit_long,
    every_visit, pairing, carry, dropped_hour, dropped_day, dropped_letter, retention_due, retention, bulk_contact to jejak_retention;
grant update (horizon) on position to jejak_retention;
grant delete on scan, scan_decision, visit, visit_long, pairing, bulk_contact to jejak_retention;
grant insert, update, delete on carry to jejak_retention;
grant insert, update on dropped_hour, dropped_day, dropped_letter to jejak_retention;
grant insert, delete on retention_due to jejak_retention;
grant update on retention to jejak_retention;
grant select (topic, partition, "offset", at), delete on dead_letter to jejak_retention;
grant execute on function drop_empty_week(date), trim_audit(text, timestamptz), vault.forget(timestamptz), vault.erase_due()
    to jejak_retention;
grant select on carry to jejak_visits;
grant select on carry, dropped_hour, dropped_day, dropped_letter, retention_due, retention, audit_anchor to jejak_ops;
