-- People who sign in: accounts, sessions, single-use links, and the mail that carries these.

create table account (
    account_id   uuid primary key default gen_random_uuid(),
    email        text not null unique check (email = lower(email) and length(email) <= 254),
    name         text not null check (name <> '' and length(name) <= 128),
    role         text not null check (role in ('manager', 'officer', 'ministry', 'office', 'epidemiologist')),
    area         text not null default '',  -- of an office or an epidemiologist: a province's or district's code, or all
    password     text,                      -- argon2id; null until the account is activated
    totp         bytea,                     -- sealed: the key is outside the database; null: no second factor yet
    totp_step    bigint not null default 0, -- the last code used: none counts twice
    language     text not null default 'id' check (language in ('id', 'en')),
    demo         boolean not null default false,
    made_at      timestamptz not null default clock_timestamp(),
    activated_at timestamptz,
    closed_at    timestamptz
);

create table account_facility (  -- whose places a manager or officer looks after; an owner may have many branches
    account_id  uuid not null references account,
    facility_no int not null references facility,
    primary key (account_id, facility_no)
);
create index account_facility_by_facility on account_facility (facility_no);

create table session (
    hash       bytea primary key,  -- SHA-256 of 256 random bits
    account_id uuid not null references account,
    stage      text not null check (stage in ('code', 'enrol', 'full')),  -- what is still missing: a code, a second factor
    made_at    timestamptz not null default clock_timestamp(),
    seen_at    timestamptz not null default clock_timestamp()
);
create index session_by_account on session (account_id);

create table link (  -- single use: it sets a password
    hash       bytea primary key,
    account_id uuid not null references account,
    purpose    text not null check (purpose in ('activate', 'reset')),
    ends_at    timestamptz not null,
    used_at    timestamptz
);
create index link_by_account on link (account_id);

create table mail (  -- its body is emptied once it is sent: it may hold a link
    mail_id  bigint generated always as identity primary key,
    receiver text not null,
    subject  text not null,
    body     text not null,
    made_at  timestamptz not null default clock_timestamp(),
    next_at  timestamptz not null default clock_timestamp(),
    tries    int not null default 0,
    sent_at  timestamptz
);
create index mail_waiting on mail (next_at) where sent_at is null;

grant select, insert, update on account to jejak_gate, jejak_ops;
grant select, insert, delete on account_facility to jejak_gate, jejak_ops;
grant select, insert, update, delete on session to jejak_gate;
grant select, insert, update on link to jejak_gate;
grant select, insert, update on link to jejak_ops;
grant select, delete on session to jejak_ops;
grant insert on mail to jejak_ops;
grant select, insert, update, delete on mail to jejak_gate;
