-- Who may touch what: deny by default, one non-owner role per service.
-- The roles themselves (jejak_gate, jejak_visits, jejak_traces, jejak_relay, jejak_standing, jejak_ops) are made by `jejak migrate`.

revoke all on schema public from public;
revoke all on all functions in schema public from public;
grant usage on schema public to jejak_gate, jejak_visits, jejak_traces, jejak_relay, jejak_standing, jejak_ops;
grant usage on schema vault to jejak_gate;

grant select on installation to jejak_gate, jejak_visits, jejak_traces, jejak_relay, jejak_standing, jejak_ops;

-- the fold
grant select on facility, stay_rule to jejak_visits;
grant select, insert on scan, scan_decision to jejak_visits;
grant select, insert, delete on visit, visit_long to jejak_visits;
grant select on every_visit to jejak_visits;
grant select, insert, update, delete on facility_hour to jejak_visits;
grant select, insert, update on position to jejak_visits, jejak_traces;
grant insert, select on dead_letter to jejak_visits, jejak_traces;
grant insert on outbox to jejak_visits, jejak_traces;
grant execute on function make_visit_partition(date) to jejak_visits;
do $$ begin
    execute format('grant temporary on database %I to jejak_visits, jejak_traces', current_database());
end $$;

-- traces
grant select on facility, visit, visit_long, every_visit, scan, person_area, setting_dated to jejak_traces;
grant select, insert, update on test_result, "case", trace_request, trace, contact_decision, reference to jejak_traces;
grant select, insert, update, delete on exposure, candidate, person_status to jejak_traces;
grant select, insert on alert to jejak_traces;
grant usage on sequence case_number to jejak_traces;

-- the relay
grant select, update, delete on outbox to jejak_relay;

-- the gate
grant select on facility, visit, visit_long, every_visit, facility_hour to jejak_gate;
grant select on "case", trace, candidate, exposure, test_result, trace_request, reference, contact_decision, position to jejak_gate;
grant select, insert, update, delete on person_area to jejak_gate;
grant select, insert, delete on vault.person, vault.identifier to jejak_gate;
grant select on api_key to jejak_gate;
grant select on alembic_version to jejak_gate;  -- /readyz says whether the tables are at the newest revision
grant execute on function append_audit(text, text, text, text) to jejak_gate, jejak_ops;

-- the operator
grant select on facility, stay_rule, scan, scan_decision, visit, visit_long, every_visit, facility_hour, position, lost_range,
    outbox, "case", trace, exposure, candidate, alert, test_result, trace_request, contact_decision, reference, setting_dated,
    person_status, audit, dead_letter to jejak_ops;
grant insert, update on facility, api_key to jejak_ops;
grant insert on stay_rule, lost_range to jejak_ops;
grant select on api_key to jejak_ops;
grant update on position to jejak_ops;
