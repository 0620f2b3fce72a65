#!/bin/sh
# Runs a `jejak` command under spark-submit, e.g. on this machine:
#   docs/guides/spark-submit.sh bulk --cases C.csv --archive visits --out results
# and on a cluster:
#   MASTER=spark://head:7077 SUBMIT=/opt/spark/bin/spark-submit docs/guides/spark-submit.sh \
#       bulk --date 2026-11-12 --archive hdfs:///jejak/visits --out results
# The driver runs here; the workers get Jejak's rooms as a zip and need Python 3.11 with numpy, pyarrow, msgspec and tzdata
# (WORKER_PYTHON names it). More options for spark-submit: SUBMIT_OPTIONS.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/rooms"
for room in schemas tracing ops producers streams portal; do
    cp -R "$root/$room" "$work/rooms/$room"
done
"$python" -c "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[2])" "$work/jejak" "$work/rooms"
echo 'from ops.cli import main; main()' > "$work/run.py"

PYTHONPATH=$root PYSPARK_DRIVER_PYTHON=$python PYSPARK_PYTHON=${WORKER_PYTHON:-$python} \
    "${SUBMIT:-$root/.venv/bin/spark-submit}" \
    --master "${MASTER:-local[2]}" \
    --name jejak \
    --driver-memory "${DRIVER_MEMORY:-2g}" \
    --conf spark.executor.memory="${WORKER_MEMORY:-2g}" \
    --conf spark.executor.memoryOverhead="${WORKER_OVERHEAD:-2g}" \
    --conf spark.sql.shuffle.partitions="${PARTITIONS:-200}" \
    --conf spark.driver.maxResultSize=0 \
    --py-files "$work/jejak.zip" \
    ${SUBMIT_OPTIONS:-} \
    "$work/run.py" "$@"
