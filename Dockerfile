# The base brings Node 24 and nothing else that is needed.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /portlight
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
WORKDIR /portlight
COPY --from=build /portlight/package.json /portlight/LICENSE ./
COPY --from=build /portlight/node_modules ./node_modules
COPY --from=build /portlight/dist ./dist
ENV NODE_ENV=production
# Mount /var/run/docker.sock, and run with --pid host so that /proc shows the containers' processes.
ENTRYPOINT ["node", "--max-semi-space-size=1", "dist/agent/cli.js"]
CMD ["run"]
