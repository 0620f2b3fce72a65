"""THE SWITCHBOARD: the `jejak` command, embedded servers, supervision, migrations, doctor."""
