#!/bin/sh
# The guest's only service: runs the given tests with a daemon for each cgroup driver, then powers the guest off.
# The output goes to the console, which the host reads.
export PATH=/work/node/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NODE_ENV=test
export PORTLIGHT_TEST_PATIENCE=8 PORTLIGHT_TEST_CLI=/work/dist/agent/cli.js
export DOCKER_HOST=unix:///run/test.sock
cd /work || exit 1
ip link set lo up
echo "guest: kernel $(uname -r), $(stat -fc %T /sys/fs/cgroup), controllers $(cat /sys/fs/cgroup/cgroup.controllers)"
failed=0
for driver in systemd cgroupfs; do
  dockerd --host "$DOCKER_HOST" --data-root "/work/docker-$driver" --exec-root /run/docker-exec \
    --pidfile /run/docker.pid --exec-opt "native.cgroupdriver=$driver" > /run/dockerd.log 2>&1 &
  daemon=$!
  for second in $(seq 120); do
    [ -S /run/test.sock ] && break
    sleep 1
  done
  sleep 5
  echo "guest: tests with cgroup driver $driver"
  export PORTLIGHT_TEST_RECORD=/run/recording.json
  node node_modules/ava/entrypoints/cli.js --timeout 20m --serial --concurrency 1 "$@" || failed=1
  echo "guest: recording v2-$driver"
  gzip -c "$PORTLIGHT_TEST_RECORD" | base64
  echo "guest: end of recording"
  kill "$daemon" || tail -n 5 /run/dockerd.log
  wait "$daemon"
done
echo "guest: failed=$failed"
sync
