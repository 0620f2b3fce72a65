-- Doors and their posters: every gate of a facility, every version of its poster; and what officers entered by hand.

create table gate (
    facility_no int not null references facility,
    gate_no     int not null check (gate_no > 0),  -- counts up within the facility; none is given twice
    kind        text not null check (kind in ('entrance', 'exit', 'zone')),
    name        text not null check (name <> '' and length(name) <= 64),  -- as it is printed
    zone        text,  -- of a zone's gate, which has one
    made_at     timestamptz not null,
    closed_at   timestamptz check (closed_at >= made_at),
    primary key (facility_no, gate_no),
    foreign key (facility_no, zone) references zone,
    check ((kind = 'zone') = (zone is not null))
);
comment on table gate is 'A gate''s kind and zone never change, or posters on the wall would say something else.';

create function gate_is_fixed() returns trigger language plpgsql as $$
begin
    if (new.facility_no, new.gate_no, new.kind, new.zone) is distinct from (old.facility_no, old.gate_no, old.kind, old.zone) then
        raise exception 'a gate never becomes another: close it and add one' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger gate_is_fixed before update on gate for each row execute function gate_is_fixed();

create table poster (  -- a version counts from made_at until before revoked_at; portal/posters/versions.py decides
    facility_no int not null,
    gate_no     int not null,
    version     int not null check (version > 0),
    kid         text not null,  -- which key signed it: the key itself is outside the database
    made_at     timestamptz not null,
    made_by     text not null,
    revoked_at  timestamptz check (revoked_at >= made_at),
    reason      text not null default '' check (reason in ('', 'reissued', 'stolen', 'closed')),
    revoked_by  text not null default '',
    primary key (facility_no, gate_no, version),
    foreign key (facility_no, gate_no) references gate,
    check ((revoked_at is null) = (reason = ''))
);
create unique index poster_standing on poster (facility_no, gate_no) where revoked_at is null;

create index scan_by_officer on scan (facility_no, at) where channel = 'officer';

create view manual_entry as  -- whom it was about is not in it
    select s.facility_no, s.at, s.gate, s.zone, s.role, s.admitted, s.refused_reason, s.assurance, s.entered_by,
        s.received_at, coalesce(d.decision, '') as decision
    from scan s left join lateral (
        select decision from scan_decision d where d.person = s.person and d.scan_id = s.scan_id
        order by serial desc, case decision when 'void' then 0 when 'flag' then 1 else 2 end limit 1
    ) d on true
    where s.channel = 'officer';

grant select, insert, update on gate, poster to jejak_gate;
grant insert, update, delete on zone to jejak_gate;
grant select on manual_entry to jejak_gate;
grant select on gate, poster, manual_entry to jejak_ops;
