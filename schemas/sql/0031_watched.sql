-- A change is held against the visits of the persons that open traces look at: few of all who were near it. They are
-- picked out while the visits are read, so that nothing grows with how many came.

create function trace_met_by(persons uuid[], places int[], froms bigint[], untils bigint[])
returns table (person uuid, check_in timestamptz, check_out timestamptz)
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
begin
    return query
    select m.person, m.check_in, m.check_out
    from (
        select p, instant_of(f) as a, instant_of(u) as b from unnest(places, froms, untils) as asked (p, f, u)
    ) s cross join lateral (
        select v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 0 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '3600 seconds'
        union all
        select v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 1 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '14400 seconds'
        union all
        select v.person, v.check_in, v.check_out from visit v
        where v.key = s.p * 8 + 2 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '86400 seconds'
        union all
        select v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 3 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '345600 seconds'
        union all
        select v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 4 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '1036800 seconds'
        union all
        select v.person, v.check_in, v.check_out from visit_long v
        where v.key = s.p * 8 + 5 and v.check_in < s.b and v.check_out > s.a
    ) m where least(m.check_out, s.b) >= greatest(m.check_in, s.a)
        and (m.person in (select unnest(persons))) is true;  -- so written it is a hash table, never a join
end $$;
comment on function trace_met_by is 'As trace_met, of these persons only.';
revoke all on function trace_met_by(uuid[], int[], bigint[], bigint[]) from public;
grant execute on function trace_met_by(uuid[], int[], bigint[], bigint[]) to jejak_traces, jejak_standing;
