-- The audit works out again which offices a candidate concerns, by residence too.

grant select on person_area to jejak_ops;
