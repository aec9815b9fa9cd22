# Munshi in a container: not root, and nothing but /data is written to, so the root may be read-only.
FROM python:3.12-slim-bookworm AS packages
WORKDIR /munshi
# For PostgreSQL: --build-arg LOCK=requirements-postgres.lock
ARG LOCK=requirements.lock
COPY ${LOCK} .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r ${LOCK}

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin munshi && install -d -o 10001 -g 10001 -m 700 /data
WORKDIR /munshi
COPY --from=packages /munshi/.venv .venv
COPY bot bot
COPY core core
COPY migrations migrations
COPY webhook webhook
RUN .venv/bin/python -m compileall -q bot core migrations webhook
ENV HOST=0.0.0.0 PORT=8080 MUNSHI_DATA_DIR=/data PYTHONDONTWRITEBYTECODE=1 PATH=/munshi/.venv/bin:$PATH
USER 10001:10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["python", "-m", "core", "up"]
