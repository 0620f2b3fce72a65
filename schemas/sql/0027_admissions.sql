-- The admission feed: which scans a record of a hospital's system became, so that a correction takes these back.

create table admission (
    facility_no int not null references facility,
    unit        bytea not null,       -- hash of the hospital's own name for the stay or event
    person      uuid not null,
    revision    int not null,
    scans       jsonb not null,       -- those that stand: scan_id, gate, zone, at, role
    seen        bytea[] not null,     -- hashes of every content it had: an old file again changes nothing
    as_of       timestamptz,          -- its version, where its system says it
    changed_by  text not null,
    changed_at  timestamptz not null default clock_timestamp(),
    primary key (facility_no, unit)
);
create index admission_by_person on admission (person);
grant select, insert, update on admission to jejak_gate;
grant select on admission to jejak_ops;
