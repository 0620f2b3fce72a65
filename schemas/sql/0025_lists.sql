-- The visits met, whole at once: for the few hundred of a first degree one range of the table is cheaper than a look-up of each.

create function trace_met_whole(places int[], froms bigint[], untils bigint[], roles text[])
returns table (key int, person uuid, check_in timestamptz, check_out timestamptz, visit_id uuid, role smallint,
    check_in_estimated boolean, check_out_estimated boolean, zoned boolean)
language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off
set enable_mergejoin = off set enable_bitmapscan = off set jit = off as $$
begin
    return query
    select m.key, m.person, m.check_in, m.check_out, m.visit_id, coalesce(array_position(roles, m.role), 0)::smallint,
        m.check_in_estimated, m.check_out_estimated, m.zones is not null
    from (
        select p, instant_of(f) as a, instant_of(u) as b from unnest(places, froms, untils) as asked (p, f, u)
    ) s cross join lateral (
        select v.* from visit v
        where v.key = s.p * 8 + 0 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '3600 seconds'
        union all
        select v.* from visit v
        where v.key = s.p * 8 + 1 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '14400 seconds'
        union all
        select v.* from visit v
        where v.key = s.p * 8 + 2 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '86400 seconds'
        union all
        select v.* from visit_long v
        where v.key = s.p * 8 + 3 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '345600 seconds'
        union all
        select v.* from visit_long v
        where v.key = s.p * 8 + 4 and v.check_in < s.b and v.check_out > s.a and v.check_in >= s.a - interval '1036800 seconds'
        union all
        select v.* from visit_long v
        where v.key = s.p * 8 + 5 and v.check_in < s.b and v.check_out > s.a
    ) m where least(m.check_out, s.b) > greatest(m.check_in, s.a);
end $$;
comment on function trace_met_whole is 'As trace_met, with the rest of each visit; a role is its place in the list given, 0 if it is not there.';
revoke all on function trace_met_whole(int[], bigint[], bigint[], text[]) from public;
grant execute on function trace_met_whole(int[], bigint[], bigint[], text[]) to jejak_traces, jejak_standing, jejak_ops,
    jejak_gate;
