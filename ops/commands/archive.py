"""`jejak archive`: the visits as Parquet files by week, for Spark and whatever else reads Parquet."""

from pathlib import Path

import click

from ops.embedded import running_settings
from ops.store import OPERATOR, transaction
from schemas.settings import Settings


@click.command()
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), help="Folder of the archive.")
@click.pass_obj
def archive(settings: Settings, folder: Path) -> None:
    """Bring an archive of visits to what the database holds, e.g. `jejak archive --out visits`.

    One folder a week of check-ins, written whole or not at all; weeks that stand as they did are left alone, so run
    it again when it was cut off or late scans came. It holds person ids: keep it as you keep the database.
    """
    from tracing.bulk.archive import archive as write

    with transaction(running_settings(settings), OPERATOR) as conn:
        conn.set_session(isolation_level="REPEATABLE READ", readonly=True)
        done = write(conn, folder, lambda line: click.echo(line, err=True))
    click.echo(f"{done.rows:,} visits in {done.weeks:,} weeks, {done.written:,} of them written")
