-- Places that need care: what a zone is, who rode together, whom an infection control team hears of, where a case may
-- have it from. And the look-ups of a trace as functions, so that their plans are kept and their rows come by COPY.

create table zone (  -- what a facility says a zone is; one that is not here is what its name says
    facility_no int not null references facility,
    zone        text not null check (zone <> ''),
    kind        text not null check (
        kind in ('ward', 'emergency', 'waiting', 'laboratory', 'isolation', 'staff', 'ambulance')),
    primary key (facility_no, zone)
);

alter table exposure
    add column apart       boolean not null default false,  -- in different zones all the while
    add column ppe_unknown boolean not null default false;  -- staff in isolation
alter table candidate
    add column apart       boolean not null default false,
    add column ppe_unknown boolean not null default false;

create table source_exposure (  -- backward: whom the case met before day zero; order is worked out when it is read
    trace_id    bigint not null references trace,
    from_visit  uuid not null,  -- of the possible source
    to_visit    uuid not null,  -- of the case
    person      uuid not null,  -- the possible source
    facility_no int not null references facility,
    zone        text not null,  -- where the possible source was
    role        text not null,
    starts      timestamptz not null,
    ends        timestamptz not null,
    estimated   boolean not null,
    kind        text not null check (kind in ('place', 'vehicle')),
    primary key (trace_id, from_visit, to_visit)
);

create index scan_ride on scan (group_id) where group_id <> '';
create index scan_rider on scan (person, at) where group_id <> '';

insert into setting_dated values
    ('second_degree_limit', '2020-01-01', 2000, 'ours: pairs of second degree that a trace keeps; 0: it looks for none'),
    ('second_degree_told', '2020-01-01', 0, 'ours: 1 tells offices of candidates of second degree too'),
    ('ride_hours', '2020-01-01', 24, 'ours: scans of one group further apart are two rides'),
    ('onset_indeterminate_day', '2020-01-01', 3, 'hospital onset by day of stay, the first day of each class (unsure)'),
    ('onset_probable_day', '2020-01-01', 8, 'hospital onset by day of stay, the first day of each class (unsure)'),
    ('onset_definite_day', '2020-01-01', 15, 'hospital onset by day of stay, the first day of each class (unsure)');

create function instant_of(us bigint) returns timestamptz language sql stable
    return timestamptz 'epoch' + us * interval '1 microsecond';

-- An index-only range per stay class (tracing/keys.py has the bounds), the same plan for every case: statistics of a
-- young table must not talk it out of it. `together_us` is the shortest time together that is asked for.
create function trace_met(places int[], froms bigint[], untils bigint[], together_us bigint)
returns table (key int, person uuid, check_in timestamptz, check_out timestamptz)
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
declare
    together constant interval := together_us * interval '1 microsecond';
begin
    return query
    select m.key, m.person, m.check_in, m.check_out
    from (
        select p, instant_of(f) as a, instant_of(u) as b from unnest(places, froms, untils) as asked (p, f, u)
    ) s cross join lateral (
        select v.key, v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 0 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '3600 seconds'
        union all
        select v.key, v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 1 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '14400 seconds'
        union all
        select v.key, v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 2 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '86400 seconds'
        union all
        select v.key, v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 3 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '345600 seconds'
        union all
        select v.key, v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 4 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '1036800 seconds'
        union all
        select v.key, v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 5 and v.check_in < s.b and v.check_out > s.a
    ) m where least(m.check_out, s.b) - greatest(m.check_in, s.a) >= together;
end $$;
comment on function trace_met is 'The visits that overlap any of the spans (place, from, until in microseconds since 1970); one that overlaps two comes twice.';

create function trace_stays(persons uuid[], froms bigint[], untils bigint[])
returns table (number int, key int, check_in timestamptz, check_out timestamptz, visit_id uuid,
    check_in_estimated boolean, check_out_estimated boolean)
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
begin
    return query
    select s.n, d.key, d.check_in, d.check_out, d.visit_id, d.check_in_estimated, d.check_out_estimated
    from (
        select p, n::int, instant_of(f) as a, instant_of(u) as b
        from unnest(persons, froms, untils) with ordinality as asked (p, f, u, n)
    ) s cross join lateral (
        select v.key, v.check_in, v.check_out, v.visit_id, v.check_in_estimated, v.check_out_estimated from visit v
        where v.person = s.p and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '1 day'
        union all
        select v.key, v.check_in, v.check_out, v.visit_id, v.check_in_estimated, v.check_out_estimated from visit_long v
        where v.person = s.p and v.check_in < s.b and v.check_out > s.a
    ) d;
end $$;
comment on function trace_stays is 'The visits of persons, each in his own span; number counts the persons from 1.';

create function trace_details(keys int[], begins bigint[], persons uuid[])
returns table (number int, visit_id text, role text, check_in_estimated boolean, check_out_estimated boolean, zones text)
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
begin
    return query
    select s.n, d.visit_id::text, d.role, d.check_in_estimated, d.check_out_estimated, d.zones::text
    from (
        select k, n::int, instant_of(b) as a, p from unnest(keys, begins, persons) with ordinality as asked (k, b, p, n)
    ) s cross join lateral (
        select v.visit_id, v.role, v.check_in_estimated, v.check_out_estimated, v.zones from visit v
        where v.key = s.k and v.check_in = s.a and v.person = s.p and v.check_out > v.check_in
        union all
        select v.visit_id, v.role, v.check_in_estimated, v.check_out_estimated, v.zones from visit_long v
        where v.key = s.k and v.check_in = s.a and v.person = s.p and v.check_out > v.check_in
    ) d;
end $$;
comment on function trace_details is 'The rest of visits that last: a person has one that begins at an instant.';

revoke all on function instant_of(bigint), trace_met(int[], bigint[], bigint[], bigint),
    trace_stays(uuid[], bigint[], bigint[]), trace_details(int[], bigint[], uuid[]) from public;
grant execute on function instant_of(bigint), trace_met(int[], bigint[], bigint[], bigint),
    trace_stays(uuid[], bigint[], bigint[]), trace_details(int[], bigint[], uuid[]) to jejak_traces, jejak_standing,
    jejak_ops, jejak_gate;
grant select on zone to jejak_traces, jejak_standing;
grant select, insert, update, delete on source_exposure to jejak_traces, jejak_standing;
grant select on source_exposure, zone to jejak_gate, jejak_ops;
grant insert, update, delete on zone to jejak_ops;
