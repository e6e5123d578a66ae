#!/usr/bin/env bash
# image-wheels.sh [DIR]: the wheels that an agent's image needs where no package index can be reached while it is built
# (`cabtrace image build --wheels DIR`): pip's, and those of cabtrace's dependencies, for Python 3.11. Prints DIR.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/cabtrace-ci/image-wheels}
python=$(bash "$here/pythons.sh" | head -n 1)
list=$("$here/../.venv/bin/python" -c 'from importlib.metadata import requires
print("\n".join(r for r in requires("cabtrace") or () if "extra ==" not in r))')
key=$(printf '%s' "1 $list" | sha256sum | cut -c1-16)
if [ "$(cat "$dir/stamp" 2>/dev/null)" != "$key" ]; then
  rm -rf "$dir" && mkdir -p "$dir"
  "$python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.11 \
    --dest "$dir" pip -r <(printf '%s\n' "$list") >&2
  echo "$key" >"$dir/stamp"
fi
printf '%s\n' "$dir"
