-- The vault behind functions: no role of a service reads or writes its tables. Keys by version, erasures, joined ids.
-- An access to an identity is to see a sealed value: that is written to the audit, and committed, before a row comes
-- out. To find a person id by a digest is none: whoever has the digest has the document and the key already.

create unique index audit_is_one_chain on audit (previous);  -- two rows that follow the same one would be two chains

insert into setting_dated values ('retention_days', '2020-01-01', 60, 'ours: 14 backward, 14 of the window, 30 of lateness, rounded up');

create table vault.key (
    purpose    text not null check (purpose in ('index', 'master')),
    version    int not null check (version > 0),
    proof      bytea not null,  -- HMAC under the key: says whether a file holds it, and nothing of it
    state      text not null check (state in ('coming', 'current', 'going', 'retired')),
    made_at    timestamptz not null default clock_timestamp(),
    retired_at timestamptz,
    primary key (purpose, version)
);
create unique index key_in_use on vault.key (purpose) where state = 'current';
create unique index key_in_rotation on vault.key (purpose) where state in ('coming', 'going');

create table vault.newcomer (  -- persons added while an index key is coming: they still lack its digest
    person uuid primary key references vault.person on delete cascade
);

create table vault.ticket (  -- a right to see sealed values, good from the next transaction on
    ticket    bigint generated always as identity primary key,
    xact      xid8 not null default pg_current_xact_id(),
    principal text not null,
    purpose   text not null check (purpose in ('open', 'index', 'master')),
    person    uuid,  -- of purpose 'open'
    ends_at   timestamptz not null default clock_timestamp() + interval '1 hour'
);

create table vault.erasure (  -- what is left of a person: that he was erased, and when
    erasure_id uuid primary key default gen_random_uuid(),
    person     uuid not null,
    asked_by   text not null,
    reason     text not null,
    asked_at   timestamptz not null default clock_timestamp(),
    due_at     timestamptz not null,
    done_at    timestamptz,
    audit_id   bigint  -- the row of the audit that says so
);
create unique index erasure_waiting on vault.erasure (person) where done_at is null;
create index erasure_due on vault.erasure (due_at) where done_at is null;

create table person_join (  -- two ids of one human; asked for by one, approved by another, undone likewise
    join_id         bigint generated always as identity primary key,
    person_a        uuid not null,
    person_b        uuid not null,
    asked_by        text not null,
    reason          text not null check (reason <> ''),
    asked_at        timestamptz not null default clock_timestamp(),
    approved_by     text,
    approved_at     timestamptz,
    undo_asked_by   text,
    undo_reason     text,
    undo_asked_at   timestamptz,
    undone_by       text,
    undone_at       timestamptz,
    check (person_a < person_b),
    check (approved_by is distinct from asked_by),
    check (undone_by is null or undone_by <> undo_asked_by),
    check ((approved_by is null) = (approved_at is null)),
    check ((undone_by is null) = (undone_at is null))
);
create unique index join_standing on person_join (person_a, person_b) where undone_at is null;
create index join_by_other on person_join (person_b) where undone_at is null;

create view same_human as  -- person → other, both ways, of the joins that hold
    select person_a as person, person_b as other from person_join where approved_at is not null and undone_at is null
    union all
    select person_b, person_a from person_join where approved_at is not null and undone_at is null;

-- The way of every scan

create function vault.hex(person uuid) returns text language sql immutable return replace(person::text, '-', '');

create function vault.state() returns table (index_version int, master_version int, erased bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select (select version from vault.key where purpose = 'index' and state = 'current'),
        (select version from vault.key where purpose = 'master' and state = 'current'),
        (select count(*) from vault.erasure where done_at is not null)
$$;
comment on function vault.state is 'What a gate has to look at now and then: other keys, or somebody erased, and what it remembers is old.';

create function vault.keys() returns table (purpose text, version int, proof bytea, state text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select purpose, version, proof, state from vault.key where state <> 'retired' order by purpose, version
$$;

create function vault.find(index_with int, master_with int, asked bytea[])
returns table (digest bytea, person text, district text)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('vault'));  -- no key is switched until this transaction ends
    if (select count(*) from vault.key k where k.state = 'current'
        and (k.purpose, k.version) in (('index', index_with), ('master', master_with))) <> 2
    then
        return query select null::bytea, null::text, null::text;
        return;
    end if;
    return query select i.digest, vault.hex(i.person), coalesce(a.district, '')
        from vault.identifier i left join public.person_area a on a.person = i.person where i.digest = any(asked);
end $$;
comment on function vault.find is 'Person ids by digest; one row of nulls: the caller''s keys are not those in use, it must read them again.';

create function vault.add(index_with int, master_with int, digests bytea[], persons uuid[], kinds text[],
    sealed bytea[], wrapped bytea[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('vault'));
    if (select count(*) from vault.key k where k.state = 'current'
        and (k.purpose, k.version) in (('index', index_with), ('master', master_with))) <> 2
    then
        raise exception 'these are not the keys in use' using errcode = 'object_not_in_prerequisite_state';
    end if;
    with given as (
        select * from unnest(digests, persons, kinds, sealed, wrapped) as g (digest, person, kind, sealed, wrapped_key)
    ), named as (
        insert into vault.identifier (digest, key_version, person)
        select digest, index_with, person from given order by digest on conflict do nothing returning person
    ), kept as (
        insert into vault.person (person, kind, sealed, wrapped_key, key_version)
        select person, kind, g.sealed, wrapped_key, master_with from given g join named using (person)
        returning person
    )
    insert into vault.newcomer select person from kept
    where exists (select from vault.key k where k.purpose = 'index' and k.state = 'coming');
end $$;
comment on function vault.add is 'Adds persons whose digest is not there yet; where another transaction was first, its person stays.';

create function vault.register(for_what text, proved bytea) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('vault keys'));
    insert into vault.key (purpose, version, proof, state) select for_what, 1, proved, 'current'
    where not exists (select from vault.key k where k.purpose = for_what);
end $$;
comment on function vault.register is 'Writes down the first key of a vault; once there is one, it does nothing.';

create function vault.sample() returns table (digest bytea, person text, kind text, sealed bytea, wrapped_key bytea)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from vault.key) then
        return;
    end if;
    return query select i.digest, vault.hex(p.person), p.kind, p.sealed, p.wrapped_key
        from vault.person p join vault.identifier i on i.person = p.person limit 1;
    if found then
        perform public.append_audit(session_user::text, 'vault keys checked', '1 person', '');
    end if;
end $$;
comment on function vault.sample is 'One person of a vault whose keys are not written down yet, to see whether a key file is the right one.';

-- Seeing what is sealed

create function vault.ask(who text, for_what text, whom uuid, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made bigint;
begin
    perform public.append_audit(who, case for_what when 'open' then 'identity opened' else for_what || ' key rotated' end,
        coalesce(vault.hex(whom), 'all persons'), why);
    insert into vault.ticket (principal, purpose, person) values (who, for_what, whom) returning ticket into made;
    return made;
end $$;
comment on function vault.ask is 'Writes to the audit who is to see what, and why; the ticket is good once that is committed.';

create function vault.check_ticket(given bigint, for_what text, whom uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from vault.ticket t where t.ticket = given and t.purpose = for_what and t.person is not distinct from whom
        and t.ends_at > clock_timestamp() and t.xact <> pg_current_xact_id();
    if not found then
        raise exception 'no committed entry of the audit allows this' using errcode = 'insufficient_privilege';
    end if;
end $$;

create function vault.open(given bigint, whom uuid)
returns table (person text, kind text, sealed bytea, wrapped_key bytea, key_version int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'open', whom);
    return query select vault.hex(p.person), p.kind, p.sealed, p.wrapped_key, p.key_version
        from vault.person p where p.person = whom;
end $$;

-- Rotating keys

create function vault.bring_key(who text, for_what text, number int, proved bytea) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('vault'));  -- whoever adds a person from now on knows that a key is coming
    insert into vault.key (purpose, version, proof, state) values (for_what, number, proved, 'coming');
    perform public.append_audit(who, for_what || ' key added', 'version ' || number, '');
end $$;

create function vault.to_index(given bigint, number int, after uuid, most int)
returns table (person text, kind text, sealed bytea, wrapped_key bytea, key_version int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'index', null);
    return query select vault.hex(p.person), p.kind, p.sealed, p.wrapped_key, p.key_version from vault.person p
        where p.person > after and not exists (
            select from vault.identifier i where i.person = p.person and i.key_version = number)
        order by p.person limit most;
end $$;

create function vault.newcomers(given bigint, number int, most int)
returns table (person text, kind text, sealed bytea, wrapped_key bytea, key_version int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'index', null);
    return query select vault.hex(p.person), p.kind, p.sealed, p.wrapped_key, p.key_version
        from vault.newcomer n join vault.person p on p.person = n.person order by p.person limit most;
end $$;

create function vault.put_index(given bigint, number int, digests bytea[], persons uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'index', null);
    perform from vault.key k where k.purpose = 'index' and k.version = number and k.state = 'coming';
    if not found then
        raise exception 'no such index key is coming' using errcode = 'object_not_in_prerequisite_state';
    end if;
    -- A person who was erased meanwhile gets no digest any more.
    insert into vault.identifier (digest, key_version, person)
    select g.digest, number, g.person from unnest(digests, persons) as g (digest, person)
    where exists (select from vault.person p where p.person = g.person for key share) order by g.digest
    on conflict do nothing;
    delete from vault.newcomer n where n.person = any(persons);
end $$;

create function vault.hold(given bigint, for_what text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, for_what, null);
    perform pg_advisory_xact_lock(hashtext('vault'));
end $$;
comment on function vault.hold is 'Lets nobody find or add persons until this transaction ends: for the moment of the switch.';

create function vault.switch(given bigint, for_what text, number int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.hold(given, for_what);
    if for_what = 'index' and exists (select from vault.newcomer) then
        raise exception 'there are persons without a digest of the coming key' using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform from vault.key k where k.purpose = for_what and k.version = number and k.state = 'coming';
    if not found then
        raise exception 'no such key is coming' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update vault.key k set state = 'retired' where k.purpose = for_what and k.version = number;  -- out of both indexes' way
    update vault.key k set state = 'going' where k.purpose = for_what and k.state = 'current';
    update vault.key k set state = 'current' where k.purpose = for_what and k.version = number;
end $$;

create function vault.drop_index(given bigint, number int, after uuid, most int) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    last_one uuid;
begin
    perform vault.check_ticket(given, 'index', null);
    perform from vault.key k where k.purpose = 'index' and k.version = number and k.state = 'going';
    if not found then
        raise exception 'no such index key is going' using errcode = 'object_not_in_prerequisite_state';
    end if;
    with part as (
        select i.person from vault.identifier i where i.person > after order by i.person limit most
    ), gone as (
        delete from vault.identifier i using part where i.person = part.person and i.key_version = number
    )
    select max(person::text)::uuid into last_one from part;
    return last_one;
end $$;
comment on function vault.drop_index is 'Removes the digests of a going key, a part of the persons at a time; returns the last of them, null at the end.';

create function vault.to_wrap(given bigint, number int, after uuid, most int)
returns table (person text, kind text, sealed bytea, wrapped_key bytea, key_version int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'master', null);
    return query select vault.hex(p.person), p.kind, ''::bytea, p.wrapped_key, p.key_version from vault.person p
        where p.person > after and p.key_version <> number order by p.person limit most;
end $$;

create function vault.put_wrap(given bigint, number int, persons uuid[], wrapped bytea[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'master', null);
    perform from vault.key k where k.purpose = 'master' and k.version = number and k.state = 'current';
    if not found then
        raise exception 'no such master key is in use' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update vault.person p set wrapped_key = g.wrapped_key, key_version = number
    from unnest(persons, wrapped) as g (person, wrapped_key) where p.person = g.person and p.key_version <> number;
end $$;

create function vault.retire(who text, given bigint, for_what text, number int) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, for_what, null);
    if for_what = 'index' and exists (select from vault.identifier i where i.key_version = number)
        or for_what = 'master' and exists (select from vault.person p where p.key_version = number)
    then
        raise exception 'this key is still needed' using errcode = 'object_not_in_prerequisite_state';
    end if;
    update vault.key k set state = 'retired', retired_at = clock_timestamp()
    where k.purpose = for_what and k.version = number and k.state = 'going';
    if found then
        perform public.append_audit(who, for_what || ' key retired', 'version ' || number, '');
    end if;
end $$;

-- Erasing

create function vault.keep_until(whom uuid) returns timestamptz
language sql stable security definer set search_path = public, pg_temp as $$
    with days as (
        select (max(value) filter (where name = 'retention_days'))::int as kept,
            (max(value) filter (where name = 'episode_days'))::int as episode
        from (select distinct on (name) name, value from setting_dated
            where name in ('retention_days', 'episode_days') and valid_from <= current_date
            order by name, valid_from desc) as in_force
    ), concerned as (
        select t.closes_at from trace t join "case" c using (case_id) where c.person = whom and t.state = 'open'
        union all
        select t.closes_at from trace t where t.state = 'open' and t.trace_id in (
            select trace_id from candidate where candidate.person = whom
            union all
            select trace_id from source_exposure where source_exposure.person = whom)
    )
    select greatest(
        (select max(check_out) from every_visit v where v.person = whom) + kept * interval '1 day',
        (select max(at) from scan s where s.person = whom) + kept * interval '1 day',
        (select max(specimen_at) from test_result r where r.person = whom) + kept * interval '1 day',
        (select max(opened_at) from "case" c where c.person = whom and state in ('pending', 'open')) + episode * interval '1 day',
        (select max(closes_at) from concerned))
    from days
$$;
comment on function vault.keep_until is 'Until when a person''s data have to be kept: retention, an open episode, an open trace that holds him; null: not at all.';

create function vault.erase_due() returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    one record;
    until timestamptz;
    written bigint;
    done int := 0;
begin
    for one in select e.erasure_id, e.person, e.asked_by from vault.erasure e
        where e.done_at is null and e.due_at <= clock_timestamp() order by e.due_at for update skip locked
    loop
        until := vault.keep_until(one.person);
        if until > clock_timestamp() then  -- he came again, or fell ill
            update vault.erasure e set due_at = until where e.erasure_id = one.erasure_id;
            perform public.append_audit(one.asked_by, 'erasure put off', one.erasure_id::text, to_char(until, 'YYYY-MM-DD'));
            continue;
        end if;
        delete from public.person_area a where a.person = one.person;
        delete from vault.person p where p.person = one.person;
        written := public.append_audit(one.asked_by, 'person erased', one.erasure_id::text, '');
        update vault.erasure e set done_at = clock_timestamp(), audit_id = written where e.erasure_id = one.erasure_id;
        done := done + 1;
    end loop;
    return done;
end $$;
comment on function vault.erase_due is 'Carries out the erasures whose date has come; where retention or an episode has grown, the date moves.';

create function vault.erase(who text, whom uuid, why text) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked uuid;
begin
    select e.erasure_id into asked from vault.erasure e where e.person = whom and e.done_at is null;
    if asked is null then
        insert into vault.erasure (person, asked_by, reason, due_at)
        values (whom, who, why, greatest(vault.keep_until(whom), clock_timestamp())) returning erasure_id into asked;
        perform public.append_audit(who, 'erasure asked for', asked::text, why);
        perform vault.erase_due();
    end if;
    return asked;
end $$;
comment on function vault.erase is 'Records that a person is to be erased, and does it at once if nothing has to be kept.';

create function vault.erasure_of(asked uuid)
returns table (erasure_id uuid, asked_by text, asked_at timestamptz, due_at timestamptz, done_at timestamptz,
    reason text, left_over bigint, audit_id bigint, audit_hash bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select e.erasure_id, e.asked_by, e.asked_at, e.due_at, e.done_at, e.reason,
        (select count(*) from vault.person p where p.person = e.person)
        + (select count(*) from vault.identifier i where i.person = e.person)
        + (select count(*) from public.person_area a where a.person = e.person),
        e.audit_id, a.hash
    from vault.erasure e left join public.audit a on a.id = e.audit_id where e.erasure_id = asked
$$;

-- Who may call what

revoke all on all tables in schema vault from jejak_gate;
revoke all on all functions in schema vault from public;
grant usage on schema vault to jejak_ops;
grant execute on function vault.state(), vault.keys(), vault.find(int, int, bytea[]), vault.register(text, bytea), vault.sample()
    to jejak_gate, jejak_ops;
grant execute on function vault.add(int, int, bytea[], uuid[], text[], bytea[], bytea[]), vault.erase_due() to jejak_gate;
grant execute on function vault.ask(text, text, uuid, text), vault.open(bigint, uuid),
    vault.bring_key(text, text, int, bytea), vault.to_index(bigint, int, uuid, int), vault.newcomers(bigint, int, int),
    vault.put_index(bigint, int, bytea[], uuid[]), vault.hold(bigint, text), vault.switch(bigint, text, int),
    vault.drop_index(bigint, int, uuid, int), vault.to_wrap(bigint, int, uuid, int),
    vault.put_wrap(bigint, int, uuid[], bytea[]), vault.retire(text, bigint, text, int),
    vault.keep_until(uuid), vault.erase_due(), vault.erase(text, uuid, text), vault.erasure_of(uuid) to jejak_ops;
grant select on person_area to jejak_ops;
grant select, insert, update on person_join to jejak_ops;
grant select on person_join, same_human to jejak_traces, jejak_standing, jejak_gate;
grant select on same_human to jejak_ops;
