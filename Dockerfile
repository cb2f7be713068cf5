# One image for every process: `docker run IMAGE VERB`, as `pipeline VERB` on a machine.
FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/pipeline
# The lock changes seldom, so this layer is mostly found again. It has the tools of the tests, too:
# one lock, so the image runs what was tested, hash for hash.
COPY requirements.lock ./
RUN /opt/pipeline/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY sql sql
COPY pipeline pipeline
RUN /opt/pipeline/bin/pip install --no-cache-dir --no-index --no-build-isolation --no-deps .

FROM python:3.11-slim
COPY --from=build /opt/pipeline /opt/pipeline
ENV PATH=/opt/pipeline/bin:$PATH PYTHONUNBUFFERED=1
# A new volume takes its owner from the image's folder.
RUN useradd --uid 10001 --no-create-home --home-dir /data pipeline \
    && install --directory --owner pipeline --group pipeline /data
USER pipeline
WORKDIR /data
ENTRYPOINT ["pipeline"]
CMD ["--help"]
