#!/usr/bin/env bash
# Makes a Docker engine answer on this machine: uses the one that is there, else installs Debian's docker.io and starts
# the daemon by hand (there is no systemd in a build machine). May be called any number of times. Says why when it cannot.
set -euo pipefail

say() { printf 'docker-engine: %s\n' "$*" >&2; }
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

if command -v docker >/dev/null && answers; then
  say "already there: $(docker version --format '{{.Server.Version}}')"
  exit 0
fi
if [ -n "${DOCKER_HOST:-}" ]; then
  say "DOCKER_HOST=$DOCKER_HOST does not answer; unset it to have an engine started here"
  exit 1
fi
if [ "$(uname -s)" != Linux ] || [ "$(id -u)" -ne 0 ]; then
  say "no engine answers, and one can only be started here by root on Linux"
  exit 1
fi

if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
  command -v apt-get >/dev/null || { say "no dockerd, and no apt-get to install it with"; exit 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Since Debian 13 the client is a package of its own.
  packages=(docker.io iptables ca-certificates)
  if apt-cache show docker-cli >/dev/null 2>&1; then packages+=(docker-cli); fi
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

if ! mountpoint -q /sys/fs/cgroup; then
  mount -t cgroup2 none /sys/fs/cgroup || say "no cgroups: limits cannot be enforced"
fi
# A killed daemon leaves these behind, and the next one refuses to start.
if ! pgrep -x dockerd >/dev/null; then rm -f /var/run/docker.pid /var/run/docker.sock; fi

log=${TMPDIR:-/tmp}/cabtrace-dockerd.log
start() {
  say "starting dockerd $*"
  setsid dockerd --host unix:///var/run/docker.sock "$@" </dev/null >"$log" 2>&1 &
  daemon=$!
  for _ in $(seq 150); do
    if answers; then
      say "up: $(docker version --format '{{.Server.Version}}')"
      exit 0
    fi
    kill -0 "$daemon" 2>/dev/null || return 1
    sleep 0.2
  done
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  return 1
}

if pgrep -x dockerd >/dev/null; then
  for _ in $(seq 100); do
    if answers; then exit 0; fi
    sleep 0.2
  done
  say "a dockerd is running but does not answer on its default socket"
  exit 1
fi
start || true
if grep -qi 'iptables' "$log" && command -v update-alternatives >/dev/null && [ -x /usr/sbin/iptables-legacy ]; then
  # A kernel without nf_tables.
  update-alternatives --set iptables /usr/sbin/iptables-legacy >/dev/null || true
  start || true
fi
if grep -qi 'overlay' "$log"; then start --storage-driver vfs || true; fi
say "dockerd does not start; the end of its log ($log):"
tail -n 15 "$log" >&2
exit 1
