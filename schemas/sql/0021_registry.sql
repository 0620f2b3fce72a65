-- The certificate registry. Certificates lie in the vault: their holder's name, birth date and phone sealed with his own
-- key, the doses by his person id. To see one, the audit must have said so before, as with every sealed value. And when
-- black ends early, and what it rests on.

alter table api_key drop constraint api_key_role_check;
alter table api_key add constraint api_key_role_check
    check (role in ('gate', 'laboratory', 'epidemiologist', 'office', 'import', 'registry'));

create table vault.certificate (  -- who holds certificates: goes with the person, as does every dose
    person uuid primary key references vault.person on delete cascade,
    sealed bytea not null,        -- name, birth date, phone under the person's own key
    mark   bytea not null,        -- HMAC of the same under the same key: says whether they changed
    as_of  timestamptz not null   -- when the sender wrote it down; of two the later stands
);

create table vault.dose (
    person    uuid not null references vault.person on delete cascade,
    record    text not null,      -- the sender's name for it, or the dose and its day
    dose      smallint not null check (dose between 1 and 20),
    vaccine   text not null,
    given_on  date not null,
    place     text not null,
    lot       text not null,
    withdrawn boolean not null,   -- entered in error: stays withdrawn
    as_of     timestamptz not null,
    source    text not null check (source in ('csv', 'fhir')),
    taken_by  text not null,
    taken_at  timestamptz not null default clock_timestamp(),
    primary key (person, record)
);

alter table vault.ticket drop constraint ticket_purpose_check;
alter table vault.ticket add constraint ticket_purpose_check check (purpose in ('open', 'index', 'master', 'certificate'));

create function vault.own_keys(persons uuid[]) returns table (person text, wrapped_key bytea, key_version int)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select vault.hex(p.person), p.wrapped_key, p.key_version from vault.person p where p.person = any(persons)
$$;
comment on function vault.own_keys is 'Persons'' own keys, wrapped: with the master key they seal what is added, and show nothing that is sealed.';

create function vault.put_certificates(persons uuid[], seals bytea[], marks bytea[], dates timestamptz[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    insert into vault.certificate as c (person, sealed, mark, as_of)
    select g.person, g.sealed, g.mark, g.as_of from unnest(persons, seals, marks, dates) as g (person, sealed, mark, as_of)
    where exists (select from vault.person p where p.person = g.person for key share) order by g.person
    on conflict (person) do update set sealed = excluded.sealed, mark = excluded.mark, as_of = excluded.as_of
    where excluded.as_of >= c.as_of and excluded.mark <> c.mark
$$;
comment on function vault.put_certificates is 'Stores holders of certificates; what is the same, or older, changes nothing.';

create function vault.put_doses(who text, origin text, persons uuid[], records text[], doses smallint[], vaccines text[],
    days date[], places text[], lots text[], withdrawals boolean[], dates timestamptz[])
returns table (person text, record text, outcome text)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    with given as (
        select * from unnest(persons, records, doses, vaccines, days, places, lots, withdrawals, dates)
            as g (person, record, dose, vaccine, given_on, place, lot, withdrawn, as_of)
    ), put as (
        insert into vault.dose as d
            (person, record, dose, vaccine, given_on, place, lot, withdrawn, as_of, source, taken_by)
        select g.person, g.record, g.dose, g.vaccine, g.given_on, g.place, g.lot, g.withdrawn, g.as_of, origin, who
        from given g where exists (select from vault.person p where p.person = g.person for key share)
        order by g.person, g.record
        on conflict on constraint dose_pkey do update set dose = excluded.dose, vaccine = excluded.vaccine,
            given_on = excluded.given_on, place = excluded.place, lot = excluded.lot, withdrawn = excluded.withdrawn,
            as_of = excluded.as_of, source = excluded.source, taken_by = excluded.taken_by, taken_at = clock_timestamp()
        where not d.withdrawn and (excluded.withdrawn or excluded.as_of >= d.as_of)
            and (d.dose, d.vaccine, d.given_on, d.place, d.lot, d.withdrawn)
                is distinct from (excluded.dose, excluded.vaccine, excluded.given_on, excluded.place, excluded.lot, excluded.withdrawn)
        returning d.person, d.record, d.xmax = 0 as is_new
    )
    select vault.hex(g.person), g.record,
        case when p.person is null then 'known' when g.withdrawn then 'withdrawn' when p.is_new then 'new' else 'changed' end
    from given g left join put p on p.person = g.person and p.record = g.record
$$;
comment on function vault.put_doses is 'Stores doses and says of each what it was; what is the same, older, or was withdrawn, changes nothing.';

create function vault.ask_certificate(who text, what text, whom uuid) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    made bigint;
begin
    perform public.append_audit(who, what, coalesce(vault.hex(whom), 'nobody'), '');
    insert into vault.ticket (principal, purpose, person) values (who, 'certificate', whom) returning ticket into made;
    return made;
end $$;
comment on function vault.ask_certificate is 'Writes to the audit who looks up whom, also where nobody was found; the ticket is good once that is committed.';

create function vault.certificate(given bigint, whom uuid)
returns table (sealed bytea, wrapped_key bytea, key_version int, doses jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'certificate', whom);
    delete from vault.ticket t where t.ticket = given;  -- a look-up is seen once
    return query select c.sealed, p.wrapped_key, p.key_version, (
            select coalesce(jsonb_agg(jsonb_build_array(d.dose, d.given_on)), '[]') from vault.dose d
            where not d.withdrawn and d.person in (
                select asked.person union select h.other from public.same_human h where h.person = asked.person))
        from (select whom) as asked (person)
        left join vault.person p on p.person = asked.person left join vault.certificate c on c.person = asked.person;
end $$;
comment on function vault.certificate is 'A holder, sealed, and the doses under all his ids; one row always, of nulls where there is nobody.';

create function vault.own_certificate(given bigint, whom uuid)
returns table (sealed bytea, dose smallint, vaccine text, given_on date, place text, lot text, withdrawn boolean,
    taken_by text, taken_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'open', whom);
    return query select c.sealed, d.dose, d.vaccine, d.given_on, d.place, d.lot, d.withdrawn, d.taken_by, d.taken_at
        from (select whom) as asked (person) left join vault.certificate c on c.person = asked.person
        left join vault.dose d on d.person = asked.person order by d.given_on, d.record;
end $$;
comment on function vault.own_certificate is 'All that the registry holds of a person who asked for it; the ticket is that of his identity.';

revoke all on function vault.own_keys(uuid[]), vault.put_certificates(uuid[], bytea[], bytea[], timestamptz[]),
    vault.put_doses(text, text, uuid[], text[], smallint[], text[], date[], text[], text[], boolean[], timestamptz[]),
    vault.ask_certificate(text, text, uuid), vault.certificate(bigint, uuid), vault.own_certificate(bigint, uuid) from public;
grant execute on function vault.own_keys(uuid[]), vault.put_certificates(uuid[], bytea[], bytea[], timestamptz[]),
    vault.put_doses(text, text, uuid[], text[], smallint[], text[], date[], text[], text[], boolean[], timestamptz[]),
    vault.ask_certificate(text, text, uuid), vault.certificate(bigint, uuid) to jejak_gate;
grant execute on function vault.own_certificate(bigint, uuid) to jejak_ops;

create table door_rule (  -- what a facility does with yellow; one that is not here checks
    facility_no int primary key references facility,
    yellow      text not null check (yellow in ('admit', 'check', 'triage')),
    changed_by  text not null,
    changed_at  timestamptz not null default clock_timestamp()
);

create table staff_advice (  -- staff whom the gate would have sent to triage: their infection control team decides
    facility_no int not null references facility,
    person      uuid not null,
    day         date not null,  -- of the facility's clock: once a day is enough
    at          timestamptz not null,
    primary key (facility_no, day, person)
);
grant select, insert, update on door_rule to jejak_gate;
grant select, insert on staff_advice to jejak_gate;
grant select on door_rule, staff_advice to jejak_ops;

-- Black

alter table contact_decision add column identity_checked boolean not null default false;
create index contact_decision_by_person on contact_decision (person) where decision = 'confirmed';
comment on column contact_decision.identity_checked is 'Who decided has made sure that it was he: black may then rest on scans that nobody proved.';

insert into setting_dated values
    ('back_case_day', '2020-01-01', 0, 'before February 2022 no test ended black early (unsure); 0: none does'),
    ('back_contact_day', '2020-01-01', 0, 'before February 2022 no test ended black early (unsure); 0: none does'),
    ('back_case_day', '2022-02-16', 5, 'first of two negative PCRs, days after the specimen (press, Feb 2022; H+5 or H+6: unsure)'),
    ('back_case_hours', '2022-02-16', 24, 'between two negative PCRs (press, Feb 2022)'),
    ('back_contact_day', '2022-02-16', 5, 'a negative test, days after the last exposure (press, Feb 2022; H+4 in another source: unsure)'),
    ('black_days_contact', '2022-02-16', 10, 'press, Feb 2022 (H+10 without a test; H+14 in another source: unsure)'),
    ('black_days_contact', '2022-07-17', 14, 'gate colours of 17 July 2022 (press)');
