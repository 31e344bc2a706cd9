# The command in a container: docs/install.md.
#
#     docker build --tag hsi-geo .
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" hsi-geo info scene.tif
#
# TORCH is a folder of PyTorch's index: cpu, or the CUDA release of your driver (cu130, ...). Empty takes the package
# index's wheel, with its CUDA libraries.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ARG TORCH=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl
ARG EXTRAS=all
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/hsi-geo
# Before the sources, so that a change of these downloads nothing again.
RUN if [ -n "$TORCH" ]; then \
        /opt/hsi-geo/bin/pip install --index-url "$TORCH_INDEX/$TORCH" torch torchvision; \
    fi
COPY . /src
RUN /opt/hsi-geo/bin/pip install "/src[$EXTRAS]"

FROM python:${PYTHON}-slim
# Wheels of GDAL link to libexpat, which the slim image lacks.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 analyst
COPY --from=build /opt/hsi-geo /opt/hsi-geo
# A user from outside (--user) has no home: caches go where everybody can write.
ENV PATH="/opt/hsi-geo/bin:$PATH" XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/matplotlib
USER analyst
WORKDIR /data
ENTRYPOINT ["hsi-geo"]
CMD ["--help"]
