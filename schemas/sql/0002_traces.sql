-- Cases, traces, exposures, candidates, alerts.

create sequence case_number;

create table test_result (
    result_id      uuid primary key,
    person         uuid not null,
    lab_ref        text not null,
    laboratory     text not null,
    by             text not null,
    test           text not null check (test in ('pcr', 'antigen')),
    result         text not null check (result in ('positive', 'negative', 'indeterminate')),
    status         text not null check (status in ('preliminary', 'final', 'corrected', 'entered_in_error')),
    supersedes     uuid,
    specimen_at    timestamptz not null,
    reported_at    timestamptz not null,
    date_onset     date,
    date_isolation date,
    received_at    timestamptz not null,
    digest         uuid not null,
    area           text not null default '',  -- of the key that sent it, or the laboratory's district
    opens          boolean not null default false,  -- a laboratory's final result whose lab_ref was new: needs no approval
    case_id        text
);
create index test_result_by_person on test_result (person, specimen_at);
create index test_result_by_lab_ref on test_result (laboratory, lab_ref);

create table "case" (  -- one episode of one person
    case_id        text primary key,
    person         uuid not null,
    state          text not null check (state in ('pending', 'open', 'closed', 'refused')),
    classification text not null check (classification in ('suspek', 'probable', 'konfirmasi', 'discarded')),
    date_onset     date,
    date_specimen  date,
    date_isolation date,
    area           text not null default '',  -- the reporting laboratory's or requester's district
    requested_by   text not null,
    requested_role text not null,
    reason         text not null,
    approved_by    text,
    approved_reason text,
    opened_at      timestamptz not null,
    confirmed_at   timestamptz,
    closed_at      timestamptz,
    check (approved_by is distinct from requested_by)
);
create index case_by_person on "case" (person);

create table trace_request (
    request_id uuid primary key,
    person     uuid not null,
    case_id    text not null,
    action     text not null check (action in ('request', 'approve', 'refuse')),
    by         text not null,
    role       text not null,
    reason     text not null,
    area       text not null default '',
    date_onset     date,
    date_specimen  date,
    date_isolation date,
    outcome    text not null,  -- done, or why not
    at         timestamptz not null
);
create index trace_request_by_person on trace_request (person);

create table trace (
    trace_id     bigint generated always as identity primary key,
    case_id      text not null references "case",
    rule         text not null,
    state        text not null default 'open' check (state in ('open', 'closed', 'stale')),
    revision     int not null default 0,
    due          boolean not null default true,  -- a fact came that no run has read yet
    window_from  timestamptz,
    window_to    timestamptz,
    header       jsonb not null default '{}',  -- thresholds, high-water mark of the data, row counts, run time
    created_at   timestamptz not null default clock_timestamp(),
    revised_at   timestamptz,
    unique (case_id, rule)
);

create table exposure (
    trace_id    bigint not null references trace,
    degree      smallint not null,
    from_visit  uuid not null,
    to_visit    uuid not null,
    from_person uuid not null,
    to_person   uuid not null,
    facility_no int not null references facility,
    zone        text not null,
    starts      timestamptz not null,
    ends        timestamptz not null,
    estimated   boolean not null,
    kind        text not null default 'place' check (kind in ('place', 'vehicle')),
    primary key (trace_id, degree, from_visit, to_visit)
);

create table candidate (
    trace_id     bigint not null references trace,
    degree       smallint not null,
    from_person  uuid not null,
    person       uuid not null,
    contact_ref  text not null,  -- random: how people name the candidate
    facility_no  int not null references facility,
    zone         text not null,
    role         text not null,
    first_start  timestamptz not null,
    last_end     timestamptz not null,
    overlap_us   bigint not null,
    exposures    int not null,
    estimated    boolean not null,
    already_case boolean not null default false,
    reason       text not null,
    primary key (trace_id, degree, from_person, person)
);
create index candidate_by_ref on candidate (contact_ref);
create index candidate_by_person on candidate (person);

create table contact_decision (
    decision_id uuid primary key,
    case_id     text not null references "case",
    contact_ref text not null,
    person      uuid,
    decision    text not null check (decision in ('confirmed', 'dropped', 'undecided')),
    by          text not null,
    role        text not null,
    reason      text not null,
    outcome     text not null,
    at          timestamptz not null
);
create index contact_decision_by_case on contact_decision (case_id);

create table reference (  -- random names handed out, so that no office can join them
    case_id text not null,
    office  text not null,  -- '' = the epidemiologists
    person  uuid,           -- null: the case itself (trace_ref)
    ref     text not null unique
);
create unique index reference_identity on reference (case_id, office, person) nulls not distinct;

create table alert (
    alert_id    text primary key,  -- hash of trace, candidate, office, revision
    trace_id    bigint not null references trace,
    office      text not null,
    revision    int not null,
    action      text not null check (action in ('summary', 'added', 'changed', 'withdrawn', 'review')),
    contact_ref text not null,
    body        jsonb not null,
    made_at     timestamptz not null default clock_timestamp(),
    acknowledged_by text,
    acknowledged_at timestamptz
);
create index alert_by_trace on alert (trace_id, office);

create table person_status (  -- what the gate was last told of a person because of a case; gone when it is taken back
    person  uuid not null,
    case_id text not null references "case",
    until   timestamptz not null,
    ended   boolean not null default false,  -- its time is over and its tombstone sent
    primary key (person, case_id)
);
create index person_status_running on person_status (until) where not ended;

create table person_area (  -- residence, where known; written by the vault, readable by traces
    person   uuid primary key,
    district text not null check (district ~ '^[0-9]{2}\.[0-9]{2}$')
);

create table setting_dated (  -- numbers of the domain that change with a date
    name text not null, valid_from date not null, value numeric not null, source text not null,
    primary key (name, valid_from)
);
insert into setting_dated values
    ('alert_limit', '2020-01-01', 50, 'ours'),
    ('episode_days', '2020-01-01', 90, 'unsure'),
    ('black_days_case', '2020-01-01', 10, 'KMK gate colours of 17 July 2022 (press)'),
    ('black_days_contact', '2020-01-01', 14, 'KMK gate colours of 17 July 2022 (press)'),
    ('quarantine_due_hours', '2020-01-01', 48, 'KMK 4641/2021 (press summary)');
