-- Rights of a person who has several ids: what is kept for one is kept for all, who is erased is erased under all. The
-- audit's last row is known beside the audit. What else names persons goes after its time.

create function vault.ids_of(whom uuid) returns uuid[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select array(select whom union select h.other from public.same_human h where h.person = whom)
$$;
comment on function vault.ids_of is 'Every id of one human, by the joins that hold.';

create or replace function vault.keep_until(whom uuid) returns timestamptz
language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    ids uuid[] := vault.ids_of(whom);  -- a constant to what follows: each look-up goes by its index
    kept interval := (select value::int from setting_dated where name = 'retention_days' and valid_from <= current_date
        order by valid_from desc limit 1) * interval '1 day';
    episode interval := (select value::int from setting_dated where name = 'episode_days' and valid_from <= current_date
        order by valid_from desc limit 1) * interval '1 day';
begin
    return greatest(
        (select max(check_out) from every_visit v where v.person = any(ids)) + kept,
        (select max(at) from scan s where s.person = any(ids)) + kept,
        (select max(specimen_at) from test_result r where r.person = any(ids)) + kept,
        (select max(opened_at) from "case" c where c.person = any(ids) and state in ('pending', 'open')) + episode,
        (select max(t.closes_at) from trace t join "case" c using (case_id) where c.person = any(ids) and t.state = 'open'),
        (select max(t.closes_at) from trace t where t.state = 'open' and t.trace_id in (
            select trace_id from candidate where candidate.person = any(ids)
            union all
            select trace_id from source_exposure where source_exposure.person = any(ids))));
end $$;

alter table vault.erasure add column asked_for uuid;
comment on column vault.erasure.asked_for is 'Who asked, under another of his ids; null: under this one. Ids that are parted take it back.';

create function vault.record_erasures(who text, whom uuid, why text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    each_id uuid;
    asked uuid;
begin
    for each_id in
        select p.person from vault.person p where p.person = any(vault.ids_of(whom)) and not exists (
            select from vault.erasure e where e.person = p.person and e.done_at is null)
        order by p.person
    loop
        insert into vault.erasure (person, asked_for, asked_by, reason, due_at)
        values (each_id, nullif(whom, each_id), who, why, greatest(vault.keep_until(each_id), clock_timestamp()))
        returning erasure_id into asked;
        perform public.append_audit(who, 'erasure asked for', asked::text, why);
    end loop;
end $$;
comment on function vault.record_erasures is 'Records that a person is to be erased, under every id that the vault holds of him.';

create or replace function vault.erase_due() returns int
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    one record;
    until timestamptz;
    written bigint;
    done int := 0;
begin
    for one in select e.erasure_id, e.person, e.asked_for, e.asked_by, e.reason from vault.erasure e
        where e.done_at is null and e.due_at <= clock_timestamp() order by e.due_at for update skip locked
    loop
        if one.asked_for is not null and one.asked_for <> all(vault.ids_of(one.person)) then  -- he is another human
            delete from vault.erasure e where e.erasure_id = one.erasure_id;
            perform public.append_audit(one.asked_by, 'erasure taken back', one.erasure_id::text, 'ids parted');
            continue;
        end if;
        until := vault.keep_until(one.person);
        if until > clock_timestamp() then  -- he came again, or fell ill
            update vault.erasure e set due_at = until where e.erasure_id = one.erasure_id;
            perform public.append_audit(one.asked_by, 'erasure put off', one.erasure_id::text, to_char(until, 'YYYY-MM-DD'));
            continue;
        end if;
        perform vault.record_erasures(one.asked_by, one.person, one.reason);  -- ids joined to his since he asked
        delete from public.person_area a where a.person = one.person;
        delete from vault.person p where p.person = one.person;
        written := public.append_audit(one.asked_by, 'person erased', one.erasure_id::text, '');
        update vault.erasure e set done_at = clock_timestamp(), audit_id = written where e.erasure_id = one.erasure_id;
        done := done + 1;
    end loop;
    return done;
end $$;

create or replace function vault.erase(who text, whom uuid, why text) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked uuid;
begin
    perform vault.record_erasures(who, whom, why);
    update vault.erasure e set asked_for = null where e.person = whom and e.done_at is null
    returning e.erasure_id into asked;
    perform vault.erase_due();
    return asked;
end $$;
comment on function vault.erase is 'Records that a person is to be erased under all his ids, and does it at once if nothing has to be kept.';

create function vault.erasures_beside(asked uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select o.erasure_id from vault.erasure e join vault.erasure o on o.person = any(vault.ids_of(e.person))
    where e.erasure_id = asked and o.person <> e.person order by o.asked_at, o.erasure_id
$$;
comment on function vault.erasures_beside is 'The erasures of other ids of the same human.';

create function vault.was_erased(whom uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from vault.erasure e where e.person = whom and e.done_at is not null)
$$;
create index erasure_of_person on vault.erasure (person);

revoke all on function vault.ids_of(uuid), vault.record_erasures(text, uuid, text), vault.erasures_beside(uuid),
    vault.was_erased(uuid) from public;
grant execute on function vault.ids_of(uuid), vault.erasures_beside(uuid), vault.was_erased(uuid) to jejak_ops;

-- Whoever cuts rows off the end of the audit leaves a chain that holds. So its last row is written down beside it.

create table audit_head (
    one       boolean primary key default true check (one),
    last_id   bigint not null,
    last_hash bytea not null
);
comment on table audit_head is 'The last row of the audit; written by append_audit alone.';
insert into audit_head (last_id, last_hash) select id, hash from audit order by id desc limit 1;

create or replace function append_audit(who text, what text, which text, why text) returns bigint
language plpgsql security definer set search_path = public as $$
declare
    before bytea;
    now_at timestamptz := clock_timestamp();
    made bigint;
    made_hash bytea;
begin
    perform pg_advisory_xact_lock(hashtext('audit'));
    select hash into before from audit order by id desc limit 1;
    before := coalesce(before, '\x00'::bytea);
    insert into audit (at, principal, action, object, reason, previous, hash)
    values (now_at, who, what, which, why, before,
        sha256(before || convert_to(jsonb_build_array(extract(epoch from now_at)::text, who, what, which, why)::text, 'UTF8')))
    returning id, hash into made, made_hash;
    insert into audit_head as h (last_id, last_hash) values (made, made_hash)
    on conflict (one) do update set last_id = excluded.last_id, last_hash = excluded.last_hash;
    return made;
end $$;
grant select on audit_head to jejak_ops;

-- The owner of the tables is held to the policies too.
alter table alert force row level security;

-- Rows that name a person and are over

grant select (facility_no, unit, scans, changed_at), delete on admission to jejak_retention;
grant select (at), delete on staff_advice to jejak_retention;
grant select (entered_at), delete on late_entry to jejak_retention;
grant select (bound_at, seen_at), delete on visitor_device to jejak_retention;
create index staff_advice_at on staff_advice (at);
