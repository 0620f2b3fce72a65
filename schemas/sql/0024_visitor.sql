-- A visitor's phone: what it claimed, what proves that it is somebody's own, how far its chain of scans has come.
-- Names, birth dates, domiciles and telephone numbers are sealed; the key is outside the database.

create table visitor_device (
    device_id     uuid primary key,
    person        uuid not null references vault.person on delete cascade,  -- whoever is erased takes his devices along
    public_key    bytea not null unique,  -- SubjectPublicKeyInfo of the key the phone signs with
    district      text not null,          -- of the claimed domicile; counts once the device is bound
    claim         bytea not null,         -- sealed
    made_at       timestamptz not null,
    seen_at       timestamptz not null,
    bound_by      text not null default '' check (bound_by in ('', 'otp', 'officer_saw_id')),
    bound_at      timestamptz,
    officer_code  bytea unique,           -- keyed hash of what the phone shows to an officer
    officer_until timestamptz,
    seq           bigint not null default 0,  -- where the chain has come to
    hash          bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32),
    at            timestamptz,
    place         text not null default '',   -- the facility of the last scan, empty after an exit
    check ((bound_by = '') = (bound_at is null)),
    check ((officer_code is null) = (officer_until is null))
);
create unique index visitor_bound on visitor_device (person) where bound_at is not null;
create index visitor_device_by_person on visitor_device (person);
create index visitor_unused on visitor_device (seen_at) where bound_at is null;

create table visitor_scan (  -- scans that were judged: what comes again is judged no second time
    device_id uuid not null references visitor_device on delete cascade,
    scan_id   uuid not null,
    records   bytea,  -- what is to go to scan.v1, flags first; null once it is acknowledged
    made_at   timestamptz not null,
    primary key (device_id, scan_id)
);

create table visitor_code (  -- a code that was sent to the number in the registry
    device_id uuid primary key references visitor_device on delete cascade,
    hash      bytea not null,  -- keyed: six digits would be found from a plain one
    tries     int not null default 0,
    ends_at   timestamptz not null
);

create table visitor_codes_of_day (  -- per person, whichever device asks, so that new devices give no new tries
    person uuid not null references vault.person on delete cascade,
    day    date not null,
    number int not null,
    primary key (person, day)
);

alter table mail add column kind text not null default 'mail' check (kind in ('mail', 'sms'));

create function person_was_positive(whom uuid) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    with ids as (
        select whom as person union all select other from same_human where person = whom
    ), since as (
        select now() - (select value::int from setting_dated where name = 'episode_days' and valid_from <= current_date
            order by valid_from desc limit 1) * interval '1 day' as at
    )
    select exists (
        select from test_result r join ids using (person), since
        where r.result = 'positive' and r.status <> 'entered_in_error' and r.specimen_at >= since.at
            and not exists (select from test_result s where s.supersedes = r.result_id)
        union all
        select from "case" c join ids using (person), since
        where c.state in ('pending', 'open') and c.opened_at >= since.at)
$$;
comment on function person_was_positive is 'Whether a positive of an episode that may still last is known of a person, or of another id of the same human.';

create function vault.erase_visitor(device uuid, why text) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    whom uuid;
    asked uuid;
begin
    select d.person into whom from public.visitor_device d where d.device_id = device and d.bound_at is not null;
    if whom is null then
        return null;
    end if;
    asked := vault.erase('visitor', whom, why);
    return (select e.due_at from vault.erasure e where e.erasure_id = asked);
end $$;
comment on function vault.erase_visitor is 'Erases whom a bound device belongs to, as a request of his own; null: it is not bound, and nobody is erased.';

revoke all on function person_was_positive(uuid), vault.erase_visitor(uuid, text) from public;
grant execute on function person_was_positive(uuid), vault.erase_visitor(uuid, text) to jejak_gate;
grant select, insert, update, delete on visitor_device, visitor_scan, visitor_code, visitor_codes_of_day to jejak_gate;
grant select on stay_rule to jejak_gate;
grant select on visitor_device, visitor_scan to jejak_ops;
