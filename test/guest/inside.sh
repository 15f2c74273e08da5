#!/bin/sh
# Runs in the guest, as its only service: the integration tests on a daemon of each cgroup driver, and then
# the guest ends. What is printed goes to the console, which the host reads.
export PATH=/work/node/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
export PORTLIGHT_TEST_PATIENCE=8 PORTLIGHT_TEST_CLI=/work/dist/agent/cli.js
cd /work || exit 1
ip link set lo up
echo "guest: $(uname -r), $(stat -fc %T /sys/fs/cgroup), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
failed=0
for driver in systemd cgroupfs; do
  dockerd --host unix:///run/test.sock --data-root "/work/docker-$driver" --exec-root /run/docker-exec \
    --pidfile /run/docker.pid --exec-opt "native.cgroupdriver=$driver" > "/work/dockerd-$driver.log" 2>&1 &
  until [ -S /run/test.sock ]; do sleep 1; done
  echo "guest: tests with cgroup driver $driver"
  DOCKER_HOST=unix:///run/test.sock NODE_ENV=test node node_modules/ava/entrypoints/cli.mjs --timeout 15m --concurrency 1 "$@" || failed=1
  kill "$(cat /run/docker.pid)"
  wait
done
echo "guest: result $failed"
sync
