-- Standing traces: who re-runs them, when they close, and what offices have acknowledged.

alter table trace add column closes_at timestamptz;  -- window's end + the greatest accepted lateness; later data make it stale
create index trace_open on trace (closes_at) where state = 'open';
create index trace_due on trace (trace_id) where due;
create index alert_unacknowledged on alert (office, made_at) where acknowledged_at is null and contact_ref <> '';

insert into setting_dated values
    ('late_days_max', '2020-01-01', 30, 'ours: the gate takes scans up to 30 days old'),
    ('alert_escalation_hours', '2020-01-01', 24, 'ours: half of the 48 hours in which quarantine is due');

update trace t set closes_at = window_to + interval '30 days' from "case" c where c.case_id = t.case_id and c.state = 'open';

-- Whoever runs a trace says why it changed, for which it reads what was decided about scans.
grant select on scan_decision to jejak_traces;

-- The standing agent runs traces as the traces worker does, but makes no case and takes in no fact.
grant select, insert, update on position to jejak_standing;
grant insert, select on dead_letter to jejak_standing;
grant insert on outbox to jejak_standing;
grant select on facility, visit, visit_long, every_visit, scan, scan_decision, person_area, setting_dated, test_result,
    "case", trace_request, contact_decision to jejak_standing;
grant select, insert, update on reference, trace to jejak_standing;
grant select, insert, update, delete on exposure, candidate, person_status to jejak_standing;
grant select, insert on alert to jejak_standing;

-- An office acknowledges at the gate; nothing else of an alert ever changes.
grant select, update (acknowledged_by, acknowledged_at) on alert to jejak_gate;
grant select on setting_dated to jejak_gate;
