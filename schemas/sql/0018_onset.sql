-- The days of stay that tell hospital onset are in tracing/cases/onset.toml, with date and source, for files and online.

delete from setting_dated where name in ('onset_indeterminate_day', 'onset_probable_day', 'onset_definite_day');
