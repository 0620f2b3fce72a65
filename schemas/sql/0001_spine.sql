-- The spine: facilities, scans, visits, counts, the fold's position, dead letters, outbox.
-- Run by the owner role; services are other roles and get only what they need (last section).

create table installation (
    name  text primary key,  -- 'partitions': N of every topic keyed by person or facility
    value text not null
);
comment on table installation is 'What was fixed when the installation was made; a mismatch stops every process.';

create table facility (
    facility_no int generated always as identity primary key,  -- surrogate: keeps visit keys small
    facility_id text not null unique check (facility_id <> '' and length(facility_id) <= 128),
    name        text not null,
    kind        text not null check (kind in ('hospital', 'puskesmas', 'clinic', 'laboratory')),
    owner       text not null default 'government' check (owner in ('government', 'private')),
    time_zone   text not null,
    district    text not null check (district ~ '^[0-9]{2}\.[0-9]{2}$'),  -- Kemendagri code, e.g. 36.71
    added_at    timestamptz not null default now()
);
comment on table facility is 'A facility''s kind and time zone never change: a new id is issued instead.';

create function facility_is_fixed() returns trigger language plpgsql as $$
begin
    if (new.facility_id, new.kind, new.time_zone) is distinct from (old.facility_id, old.kind, old.time_zone) then
        raise exception 'facility id, kind and time zone never change: issue a new id' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger facility_is_fixed before update on facility for each row execute function facility_is_fixed();

create table stay_rule (  -- dated configuration of assumed and longest stay
    valid_from      timestamptz not null,
    kind            text not null check (kind in ('hospital', 'puskesmas', 'clinic', 'laboratory')),
    assumed_minutes int not null check (assumed_minutes > 0),
    max_minutes     int not null check (max_minutes > 0),
    primary key (kind, valid_from)
);
comment on table stay_rule is 'In force at the `at` of the scan that opens the visit; a new value must begin in the future.';
insert into stay_rule (valid_from, kind, assumed_minutes, max_minutes) values
    ('-infinity', 'hospital', 240, 30 * 24 * 60),
    ('-infinity', 'puskesmas', 120, 24 * 60),
    ('-infinity', 'clinic', 120, 24 * 60),
    ('-infinity', 'laboratory', 60, 24 * 60);

create function stay_rule_begins_later() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' or new.valid_from <= clock_timestamp() then
        raise exception 'a stay rule must begin in the future and never changes' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger stay_rule_begins_later before insert or update or delete on stay_rule
    for each row execute function stay_rule_begins_later();

create table scan (  -- not partitioned by `at`: one person's scan_id is unique whatever its time
    person         uuid not null,
    scan_id        uuid not null,
    facility_no    int not null references facility,
    gate           text not null check (gate in ('entrance', 'exit', 'zone')),
    at             timestamptz not null,
    zone           text not null,
    admitted       boolean not null,
    role           text not null,
    channel        text not null,
    digest         uuid not null,  -- of what the client sent: a repeat has the same, anything else is a dead letter
    accepted_at    timestamptz not null,  -- the log's append time; as-of queries use it
    group_id       text not null,
    refused_reason text not null,
    assurance      text not null,
    device_id      text not null,
    device_seq     bigint,
    poster_version int,
    entered_by     text not null,
    received_at    timestamptz not null
);
create unique index scan_identity on scan (person, scan_id);
create index scan_by_person_at on scan (person, at);

create table scan_decision (  -- kept also when its scan has not come yet
    person      uuid not null,
    scan_id     uuid not null,
    serial      bigint not null,
    by          text not null,
    decision    text not null check (decision in ('void', 'flag', 'clear')),
    scan_at     timestamptz not null,
    reason      text not null,
    accepted_at timestamptz not null,
    primary key (person, scan_id, serial, by)
);

-- key = facility_no * 8 + stay class (bounds 1 h, 4 h, 1 d, 4 d, 12 d, more): an overlap look-up is one
-- index-only range per class. Stays up to a day are partitioned by week of check-in; longer ones have a table of their own.
create table visit (
    key                 int not null,
    person              uuid not null,
    check_in            timestamptz not null,
    check_out           timestamptz not null,
    visit_id            uuid not null,
    check_in_estimated  boolean not null,
    check_out_estimated boolean not null,
    role                text not null,
    zones               jsonb,  -- [[microseconds since 1970, zone], …]; null: none
    check (check_in <= check_out)
) partition by range (check_in);
create index visit_by_key on visit (key, check_in) include (check_out, person);
create index visit_by_person on visit (person, check_in) include (check_out, key);

create table visit_long (like visit including all);

create view every_visit as
    select * from visit union all select * from visit_long;

create function make_visit_partition(day date) returns text language plpgsql security definer set search_path = public as $$
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
    end if;
    return name;
end $$;
comment on function make_visit_partition is 'Makes the week of `day`; the fold calls it before a week is needed.';

create table facility_hour (  -- additive: each scan partition adds into its own shard; reading sums the shards
    facility_no int not null references facility,
    hour        timestamptz not null,
    shard       smallint not null,
    arrivals    int not null,
    departures  int not null,
    estimated   int not null,
    visitors    int not null,
    person_us   bigint not null,  -- microseconds of presence inside the hour
    refused     int not null,
    manual      int not null,
    flagged     int not null,
    primary key (facility_no, hour, shard)
) with (fillfactor = 70);

create table position (
    topic       text not null,
    partition   int not null,
    cluster_id  text not null,
    first       bigint not null,  -- where this ledger began
    next_offset bigint not null,
    applied     bigint not null default 0,
    duplicate   bigint not null default 0,
    dead        bigint not null default 0,
    updated_at  timestamptz not null default clock_timestamp(),
    primary key (topic, partition),
    check (next_offset - first = applied + duplicate + dead)
) with (fillfactor = 50);
comment on table position is 'Where the fold stands; Kafka''s committed offset only shows lag.';

create table lost_range (  -- ranges of a log that an operator accepted as lost
    topic text not null, partition int not null, from_offset bigint not null, to_offset bigint not null,
    cluster_id text not null, accepted_by text not null, accepted_at timestamptz not null default now()
);

create table dead_letter (
    topic     text not null,
    partition int not null,
    "offset"  bigint not null,
    sealed    bytea not null,  -- AES-GCM; the key is outside the database
    reason    text not null,   -- names the field, never its value
    at        timestamptz not null default now(),
    primary key (topic, partition, "offset")
);

create table outbox (
    id               bigint generated always as identity primary key,
    source_topic     text not null,
    source_partition int not null,
    topic            text not null,
    events           bytea storage external not null,  -- not compressed: read once, then gone; msgpack [[partition, key, value or nil], …]: one row per batch and topic
    count            int not null,
    created_at       timestamptz not null default clock_timestamp(),
    published_at     timestamptz
);
create index outbox_waiting on outbox (source_topic, source_partition, id) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;

create function outbox_wakes_relay() returns trigger language plpgsql as $$
begin
    notify outbox;
    return null;
end $$;
create trigger outbox_wakes_relay after insert on outbox for each statement execute function outbox_wakes_relay();
