-- Joined ids in traces: whoever is joined to one of three ids is joined to the others too.

create or replace view same_human as
    with recursive direct as (
        select person_a as person, person_b as other from person_join where approved_at is not null and undone_at is null
        union all
        select person_b, person_a from person_join where approved_at is not null and undone_at is null
    ), reached as (
        select person, other from direct
        union
        select r.person, d.other from reached r join direct d on d.person = r.other
    )
    select person, other from reached where person <> other;
comment on view same_human is 'Every pair of ids of one human, both ways, by the joins that hold.';

create function run_again_for_join(number bigint) returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    marked int;
begin
    with two as (
        select unnest(array[person_a, person_b]) as person from person_join where join_id = number
    ), ids as (
        select person from two union select other from two join same_human using (person)
    ), touched as (
        select trace_id from trace where trace_id in (
            select trace_id from ids join "case" c using (person) join trace t using (case_id) where c.state = 'open'
            union select trace_id from ids join candidate using (person)
            union select trace_id from ids join source_exposure using (person))
        order by trace_id for no key update
    )
    update trace t set due = true from touched where t.trace_id = touched.trace_id;
    get diagnostics marked = row_count;
    return marked;
end $$;
comment on function run_again_for_join is 'Marks the traces that a join, or its undoing, touches: the standing worker runs them.';
revoke all on function run_again_for_join(bigint) from public;
grant execute on function run_again_for_join(bigint) to jejak_ops;
