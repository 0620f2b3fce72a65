#!/bin/sh
# PostgreSQL of the Compose file: hands the superuser's password to the image's own start script, in a file of its own
# user. A secret's file belongs to whoever made it, and the script reads it as `postgres`.
set -eu
install -d -o postgres -g postgres -m 0700 /run/jejak
install -o postgres -g postgres -m 0400 /run/secrets/database/postgres /run/jejak/password
exec docker-entrypoint.sh "$@"
