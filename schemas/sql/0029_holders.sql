-- A certificate is its holder's, by whichever of his ids he is looked up: who is on record under his NIK is no stranger
-- when he shows the passport that was joined with it.

drop function vault.certificate(bigint, uuid);
create function vault.certificate(given bigint, whom uuid)
returns table (person text, sealed bytea, wrapped_key bytea, key_version int, doses jsonb)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform vault.check_ticket(given, 'certificate', whom);
    delete from vault.ticket t where t.ticket = given;  -- a look-up is seen once
    return query
        with ids as (
            select whom as id union select h.other from public.same_human h where h.person = whom
        ), holder as (
            select c.person as id, c.sealed, p.wrapped_key, p.key_version
            from ids join vault.certificate c on c.person = ids.id join vault.person p on p.person = c.person
            order by c.person <> whom, c.as_of desc limit 1
        )
        select vault.hex(h.id), h.sealed, h.wrapped_key, h.key_version, (
            select coalesce(jsonb_agg(jsonb_build_array(d.dose, d.given_on)), '[]')
            from vault.dose d join ids on ids.id = d.person where not d.withdrawn)
        from (select) as one left join holder h on true;
end $$;
comment on function vault.certificate is 'A holder, sealed, under the id it is kept under, and the doses under all his ids; one row always, of nulls where there is nobody.';

revoke all on function vault.certificate(bigint, uuid) from public;
grant execute on function vault.certificate(bigint, uuid) to jejak_gate;
