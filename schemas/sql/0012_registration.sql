-- How a facility becomes known: it applies, the ministry verifies, every step is recorded.

create table application (
    application_id  uuid primary key default gen_random_uuid(),
    reference       text not null unique,  -- 80 random bits: whoever holds it sees where the application stands
    state           text not null check (state in ('submitted', 'asked_back', 'rejected', 'approved')),
    name            text not null,
    kind            text not null check (kind in ('hospital', 'puskesmas', 'clinic', 'laboratory')),
    owner           text not null check (owner in ('government', 'private')),
    licence         text not null,         -- as typed; licence_key is what duplicates are found by
    licence_key     text not null,
    address         text not null,
    sub_district    text not null check (sub_district ~ '^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$'),
    latitude        double precision not null check (latitude between -90 and 90),
    longitude       double precision not null check (longitude between -180 and 180),
    time_zone       text not null,
    responsible     text not null,
    email           text not null,
    phone           text not null,
    capacity        int not null check (capacity > 0),
    opening_hours   text not null,         -- as OpenStreetMap writes them: Mo-Fr 08:00-16:00; 24/7
    made_at         timestamptz not null default clock_timestamp(),
    changed_at      timestamptz not null default clock_timestamp(),
    facility_no     int references facility,  -- once it is approved
    check ((state = 'approved') = (facility_no is not null))
);
create index application_queue on application (state, changed_at);
create index application_by_licence on application (licence_key);
create index application_by_place on application (sub_district);

create table application_step (  -- append-only
    step_id        bigint generated always as identity primary key,
    application_id uuid not null references application,
    action         text not null check (action in ('submit', 'ask_back', 'answer', 'reject', 'approve')),
    by             text not null,          -- an account's address; the applicant's own for what he did
    words          text not null default '',
    at             timestamptz not null default clock_timestamp()
);
create index application_step_by_application on application_step (application_id, step_id);

create table place (  -- what is known of a facility besides what tracing needs; its own people keep it
    facility_no   int primary key references facility,
    licence       text not null,
    licence_key   text not null unique,
    address       text not null,
    sub_district  text not null check (sub_district ~ '^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$'),
    latitude      double precision not null check (latitude between -90 and 90),
    longitude     double precision not null check (longitude between -180 and 180),
    responsible   text not null,
    email         text not null,
    phone         text not null,
    capacity      int not null check (capacity > 0),
    opening_hours text not null,
    verified_by   text not null,
    verified_at   timestamptz not null default clock_timestamp(),
    changed_at    timestamptz not null default clock_timestamp()
);
create index place_by_sub_district on place (sub_district);

create table facility_number (  -- the next number of a district's facilities: ids are never used twice
    district text primary key,
    last     int not null
);

grant select, insert, update on application to jejak_gate;
grant select, insert on application_step to jejak_gate;
grant select, insert, update on place, facility_number to jejak_gate;
grant insert, update on facility to jejak_gate;
grant select on application, application_step, place to jejak_ops;
