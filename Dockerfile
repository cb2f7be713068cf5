# One image for every process: `docker run IMAGE VERB`, as `pipeline VERB` on a machine.
# The update bot moves the digest, that of the multi-platform index, in both lines.
FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS build
WORKDIR /source
# The tools that make the wheel stay behind in this stage.
COPY requirements-build.lock ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock
# What runs, hash for hash what was tested. The lock changes seldom, so this layer is mostly found again.
COPY requirements.lock ./
RUN python -m venv /opt/pipeline \
    && /opt/pipeline/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY sql sql
COPY pipeline pipeline
RUN /opt/build/bin/pip wheel --no-index --no-build-isolation --no-deps --wheel-dir /wheel . \
    && /opt/pipeline/bin/pip install --no-cache-dir --no-index --no-deps /wheel/*.whl \
    && /opt/pipeline/bin/pip uninstall --yes pip setuptools

FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
COPY --from=build /opt/pipeline /opt/pipeline
ENV PATH=/opt/pipeline/bin:$PATH PYTHONUNBUFFERED=1
# A new volume takes its owner from the image's folder.
RUN groupadd --gid 10001 pipeline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data pipeline \
    && install --directory --owner pipeline --group pipeline /data
# By number: Kubernetes' runAsNonRoot cannot tell of a name whether it is root.
USER 10001:10001
WORKDIR /data
ENTRYPOINT ["pipeline"]
CMD ["--help"]
