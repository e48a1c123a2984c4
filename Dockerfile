# Tocsin as a container: dependencies first (they change seldom), then the source; no root, state in /app/var.
FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/app \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock

COPY pyproject.toml ./
COPY config/ config/
COPY models/ models/
COPY classifiers/ classifiers/
COPY bot/ bot/

RUN useradd --system --uid 901 --home-dir /app tocsin \
    && mkdir -p /app/var \
    && chown tocsin /app/var
USER tocsin
VOLUME /app/var

# A running Tocsin renews its sign of life in the database every 30 seconds.
HEALTHCHECK --interval=1m --timeout=20s --start-period=1m CMD ["python", "-m", "bot", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
