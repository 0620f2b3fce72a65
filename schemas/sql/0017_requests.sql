-- A person's requests: which of his erasures wait. Who joined ids, and undid it, is never rewritten.

create function vault.erasures_waiting(whom uuid) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select erasure_id from vault.erasure where person = whom and done_at is null
$$;
revoke all on function vault.erasures_waiting(uuid) from public;
grant execute on function vault.erasures_waiting(uuid) to jejak_ops;

create function join_goes_forward() returns trigger language plpgsql as $$
begin
    if (new.join_id, new.person_a, new.person_b, new.asked_by, new.reason, new.asked_at)
            is distinct from (old.join_id, old.person_a, old.person_b, old.asked_by, old.reason, old.asked_at)
        or old.approved_at is not null and (new.approved_by, new.approved_at) is distinct from (old.approved_by, old.approved_at)
        or old.undo_asked_at is not null and (new.undo_asked_by, new.undo_reason, new.undo_asked_at)
            is distinct from (old.undo_asked_by, old.undo_reason, old.undo_asked_at)
        or old.undone_at is not null
    then
        raise exception 'what was recorded of joined ids never changes' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger join_goes_forward before update on person_join for each row execute function join_goes_forward();

-- What nobody has approved yet is undone by one alone.
alter table person_join drop constraint person_join_check2;
alter table person_join add constraint undone_by_another
    check (undone_by is null or approved_at is null or undone_by <> undo_asked_by);
