-- The front door: API keys, the identity vault, the reading audit.

create schema vault;

create table vault.person (
    person      uuid primary key,
    kind        text not null check (kind in ('nik', 'passport', 'kitas', 'temporary', 'test')),
    sealed      bytea not null,       -- the value under AES-256-GCM with the person's own key
    wrapped_key bytea not null,       -- that key under the master key (outside the database)
    key_version int not null,
    version     int not null default 1,
    added_at    timestamptz not null default now()
);

create table vault.identifier (
    digest      bytea primary key,    -- HMAC(key version, type ":" value)
    key_version int not null,
    person      uuid not null references vault.person on delete cascade
);
create index identifier_by_person on vault.identifier (person);

create table api_key (
    key_id     text primary key,      -- public half, also shown in lists
    hash       bytea not null unique, -- SHA-256 of a 256-bit random secret
    principal  text not null,         -- who: approvals need two different ones
    role       text not null check (role in ('gate', 'laboratory', 'epidemiologist', 'office', 'import')),
    facility   text not null default '',
    area       text not null default '',  -- '' none, 'all' the whole country, a province or a district code
    demo       boolean not null default false,
    made_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);

create table audit (  -- append-only, hash-chained: who read or changed what is personal
    id        bigint generated always as identity primary key,
    at        timestamptz not null default clock_timestamp(),
    principal text not null,
    action    text not null,
    object    text not null,  -- a case id or a count, never an identifier
    reason    text not null default '',
    previous  bytea not null,
    hash      bytea not null unique
);

create function append_audit(who text, what text, which text, why text) returns bigint
language plpgsql security definer set search_path = public as $$
declare
    before bytea;
    now_at timestamptz := clock_timestamp();
    made bigint;
begin
    perform pg_advisory_xact_lock(hashtext('audit'));
    select hash into before from audit order by id desc limit 1;
    before := coalesce(before, '\x00'::bytea);
    insert into audit (at, principal, action, object, reason, previous, hash)
    values (now_at, who, what, which, why, before,
        sha256(before || convert_to(jsonb_build_array(extract(epoch from now_at)::text, who, what, which, why)::text, 'UTF8')))
    returning id into made;
    return made;
end $$;

create function audit_never_changes() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_never_changes before update or delete or truncate on audit
    for each statement execute function audit_never_changes();
