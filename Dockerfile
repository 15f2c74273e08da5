# NODE_IMAGE builds the agent. RUNTIME_IMAGE is the base of the final image: libc, libstdc++ and certificates, no shell.
ARG NODE_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian13:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /portlight
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
# Optional dependencies are native code, which needs a compiler. Types and source maps are only for development.
RUN node agent/setup/build.ts \
  && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
  && rm -r node_modules/.bin node_modules/.package-lock.json \
  && find dist node_modules -type f \( -name '*.map' -o -name '*.[cm]ts' -o -name '*.ts' \) -delete \
  && sed -i '1s|.*|#!/usr/local/bin/node|' dist/agent/cli.js \
  && mkdir -p /image/portlight /image/usr/local/bin \
  && mv LICENSE package.json dist node_modules /image/portlight \
  && ln -s /portlight/dist/agent/cli.js /image/usr/local/bin/portlight \
  && install -D "$(node -p process.execPath)" /node/usr/local/bin/node \
  && install -d -m 700 /data/portlight
# npm lists exactly the installed packages when the manifest has no devDependencies.
RUN cd /image/portlight \
  && npm pkg delete devDependencies scripts \
  && npm sbom --sbom-format=cyclonedx --sbom-type=application > /sbom.cdx.json \
  && mv /sbom.cdx.json .

FROM ${RUNTIME_IMAGE} AS node
COPY --from=build /node /

FROM node
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /data /var/lib
# The agent writes only to the data directory. TMPDIR is there too: compressed log files are unpacked in it. The variables
# replace the flags in the first line of agent/cli.ts: this image has no `env`, and without it that line can have one flag.
ENV NODE_ENV=production \
  MALLOC_ARENA_MAX=1 \
  NODE_OPTIONS="--max-semi-space-size=1 --v8-pool-size=1" \
  PORTLIGHT_DATA_DIR=/var/lib/portlight \
  TMPDIR=/var/lib/portlight
VOLUME /var/lib/portlight
USER 65532:65532
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s CMD ["portlight", "check", "--live"]
ENTRYPOINT ["portlight"]
CMD ["run"]
ARG VERSION=dev
ARG REVISION
ARG CREATED
LABEL org.opencontainers.image.title="Portlight" \
  org.opencontainers.image.description="Container observability agent for Docker hosts" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.url="https://github.com/portlight/portlight" \
  org.opencontainers.image.source="https://github.com/portlight/portlight" \
  org.opencontainers.image.documentation="https://github.com/portlight/portlight/blob/main/docs/image.md" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.created="${CREATED}"
