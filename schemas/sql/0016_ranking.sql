-- How likely a candidate was close is weighed by who else came and left: an alert says the band.

grant select on facility_hour to jejak_traces, jejak_standing;
