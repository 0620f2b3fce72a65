-- A trace reads more than visits: what a zone is, what a facility is called and where it is, where somebody lives.
-- Whoever corrects one of these makes the open traces due that read it; the standing worker runs them.

create function run_again(touched bigint[]) returns void
language sql security definer set search_path = public, pg_temp as $$
    update trace t set due = true from (
        select trace_id from trace join "case" c using (case_id)
        where trace_id = any(touched) and c.state = 'open' and coalesce(closes_at > now(), true)
        order by trace_id for no key update of trace
    ) again where t.trace_id = again.trace_id
$$;
comment on function run_again is 'Makes these traces due, of those that are open; one that is being run is waited for.';
revoke all on function run_again(bigint[]) from public;

create function zone_is_followed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    place constant int := coalesce(new.facility_no, old.facility_no);
begin
    if tg_op <> 'UPDATE' or new.kind <> old.kind then
        perform run_again(array(
            select trace_id from trace where due
            union select trace_id from exposure where facility_no = place
            union select h.trace_id from (  -- an isolation zone of the case matters also where he met nobody
                select t.trace_id, c.person from trace t join "case" c using (case_id) where t.state = 'open'
                union all select t.trace_id, h.other from trace t join "case" c using (case_id)
                    join same_human h using (person) where t.state = 'open'
            ) h where exists (select from every_visit v where v.person = h.person and v.key >> 3 = place)));
    end if;
    return null;
end $$;
create trigger zone_is_followed after insert or update or delete on zone
    for each row execute function zone_is_followed();

create function facility_is_followed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform run_again(array(
        select trace_id from trace where due union select trace_id from exposure where facility_no = new.facility_no));
    return null;
end $$;
create trigger facility_is_followed after update of name, district on facility
    for each row when (new.name <> old.name or new.district <> old.district) execute function facility_is_followed();

create function residence_is_followed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    touched bigint[];
begin
    if tg_op = 'INSERT' then
        touched := array(select distinct trace_id from told join candidate using (person));
    else
        touched := array(
            select distinct trace_id from told join was using (person) join candidate using (person)
            where told.district <> was.district);
    end if;
    if touched <> '{}' then
        perform run_again(touched);
    end if;
    return null;
end $$;
create trigger residence_is_followed after insert on person_area
    referencing new table as told for each statement execute function residence_is_followed();
create trigger residence_is_corrected after update on person_area
    referencing old table as was new table as told for each statement execute function residence_is_followed();

revoke all on function zone_is_followed(), facility_is_followed(), residence_is_followed() from public;
