#!/usr/bin/env bash
# base-image.sh TAG: makes a small Debian image without any registry, from Debian's packages. The second call takes seconds:
# the file system is kept under the user's cache folder, and an image made by the same recipe is left as it is.
set -euo pipefail

tag=${1:?usage: base-image.sh TAG}
suite=bookworm
include=python3,git,ca-certificates,procps
say() { printf 'base-image: %s\n' "$*" >&2; }

recipe="1 $suite minbase $include $(uname -m)"
key=$(printf '%s' "$recipe" | sha256sum | cut -c1-16)
if [ "$(docker image inspect --format '{{index .Config.Labels "cabtrace.recipe"}}' "$tag" 2>/dev/null)" = "$key" ]; then
  say "$tag is there"
  exit 0
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/cabtrace-ci
mkdir -p "$cache"
# Two jobs at once: the second waits for the first and finds its work done.
exec 9>"$cache/lock"
if command -v flock >/dev/null; then flock 9; fi

archive=$cache/base-$key.tar
if [ ! -s "$archive" ]; then
  [ "$(id -u)" -eq 0 ] || { say "debootstrap needs root"; exit 1; }
  if ! command -v debootstrap >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
  fi
  root=$(mktemp -d "$cache/root.XXXXXX")
  trap 'rm -rf --one-file-system "$root" "$archive.part"' EXIT
  say "making a $suite file system (about a minute)"
  if ! debootstrap --variant=minbase --include="$include" "$suite" "$root" >"$cache/debootstrap.log" 2>&1; then
    say "debootstrap failed:"
    tail -n 5 "$cache/debootstrap.log" >&2
    exit 1
  fi
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
  tar --numeric-owner --one-file-system -C "$root" -cf "$archive.part" .
  mv "$archive.part" "$archive"
fi
docker import \
  --change 'CMD ["/bin/bash"]' \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change "LABEL cabtrace.recipe=$key" \
  "$archive" "$tag" >/dev/null
say "$tag made from $archive"
