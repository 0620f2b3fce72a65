# One image for all of Jejak's own services: docker-compose.yml says which command each runs.
FROM python:3.11.14-slim-bookworm

# User 1000 is the one that Compose's secret files belong to: see docs/guides/operator.md.
RUN useradd --uid 1000 --user-group --create-home jejak \
    && install -d -o jejak -g jejak -m 0700 /var/lib/jejak

WORKDIR /opt/jejak
COPY requirements/run.txt requirements/run.txt
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt

COPY schemas schemas
COPY tracing tracing
COPY streams streams
COPY producers producers
COPY portal portal
COPY ops ops
COPY pyproject.toml LICENSE NOTICE README.md ./
RUN python -m compileall -q -j 0 schemas tracing streams producers portal ops

ENV PYTHONPATH=/opt/jejak PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 JEJAK_HOME=/var/lib/jejak
USER jejak
ENTRYPOINT ["python", "-m", "ops.cli"]
CMD ["--help"]
