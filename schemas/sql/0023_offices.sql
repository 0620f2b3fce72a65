-- What health offices and the ministry see in the browser: alerts of their own office only, and who uses the QR codes.

create index alert_of_office on alert (office, made_at);

-- Whoever asks as the gate says which office looks (`jejak.office`: d3671, p36, or all for the ministry), or sees nothing.
-- A province's office also sees what its districts have, the ministry what provinces have: what escalates to them.
alter table alert enable row level security;
create policy services on alert using (current_user <> 'jejak_gate') with check (current_user <> 'jejak_gate');
create policy offices on alert to jejak_gate using (
    office = current_setting('jejak.office', true)
    or (left(current_setting('jejak.office', true), 1) = 'p' and office like 'd' || substr(current_setting('jejak.office', true), 2) || '%')
    or (current_setting('jejak.office', true) = 'all' and office like 'p%')
) with check (office = current_setting('jejak.office', true));
comment on policy offices on alert is 'Only the own office''s alerts are changed; those of offices below are seen, for what they leave waiting escalates.';

-- Arrivals that an officer entered: they say nothing about who scans a QR code. Nobody's name is in it.
create index scan_officer_arrival on scan (facility_no, at) where channel = 'officer' and gate = 'entrance' and admitted;
create view officer_arrival as
    select facility_no, at from scan where channel = 'officer' and gate = 'entrance' and admitted;
grant select on officer_arrival to jejak_gate;

-- What the package of a trace says of its data: how many of the visits behind it were entered by hand, came late, or
-- prove nobody's identity.
grant select (person, scan_id, at, channel, assurance, received_at) on scan to jejak_gate;

insert into setting_dated values
    ('qr_stopped_days', '2020-01-01', 7, 'ours: days without a scan after which a facility has stopped using its QR codes'),
    ('qr_lowest_days', '2020-01-01', 14, 'the ministry''s lowest use of 2021-22: two weeks (press)'),
    ('qr_lowest_a_day', '2020-01-01', 1, 'the ministry''s lowest use of 2021-22: on average one visitor a day (press)');
