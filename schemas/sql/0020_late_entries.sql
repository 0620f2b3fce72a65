-- Officers' entries of what was more than a day ago: a second person of the facility agrees before they are sent.

create table late_entry (
    facility_no int not null references facility,
    scan_id     uuid not null,
    scan        jsonb not null,  -- the event as it will be sent, under a person id; only received_at is set then
    why         text not null check (why <> '' and length(why) <= 80),
    entered_by  uuid not null references account,
    entered_at  timestamptz not null,
    decided_by  uuid references account,
    decided_at  timestamptz,
    approved    boolean,
    sent_at     timestamptz check (sent_at is null or approved),
    primary key (facility_no, scan_id),
    constraint decided_by_another check (decided_by <> entered_by),
    check ((decided_by is null) = (approved is null) and (decided_at is null) = (approved is null))
);

create function late_entry_goes_forward() returns trigger language plpgsql as $$
begin
    if (new.facility_no, new.scan_id, new.scan, new.why, new.entered_by, new.entered_at)
            is distinct from (old.facility_no, old.scan_id, old.scan, old.why, old.entered_by, old.entered_at)
        or old.approved is not null and (new.approved, new.decided_by, new.decided_at)
            is distinct from (old.approved, old.decided_by, old.decided_at)
        or old.sent_at is not null
    then
        raise exception 'what was entered late and decided never changes' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger late_entry_goes_forward before update on late_entry
    for each row execute function late_entry_goes_forward();

grant select, insert, update, delete on late_entry to jejak_gate;
grant select on late_entry to jejak_ops;
