-- The contacts of all cases of a day, as `jejak bulk --date D --store` found them: a snapshot, which no later data change.

create table bulk_contact (
    day         date not null,  -- of the cases
    rule        text not null,
    asked       jsonb not null,  -- the rule's values, those that an option replaced among them
    case_id     text not null references "case",
    person      uuid not null,
    facility_no int not null references facility,  -- of the longest exposure
    first_start timestamptz not null,
    last_end    timestamptz not null,
    overlap_us  bigint not null,
    exposures   int not null,
    estimated   boolean not null,
    made_at     timestamptz not null default clock_timestamp(),
    primary key (day, rule, case_id, person)
);
create index bulk_contact_by_person on bulk_contact (person);

grant select, insert, delete on bulk_contact to jejak_ops;
