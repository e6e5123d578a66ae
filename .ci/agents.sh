#!/usr/bin/env bash
# agents.sh [DIR]: installs the agent CLIs at pinned versions below DIR and prints the folder to put on PATH. What is there
# already is left as it is: the second call takes no time. Three gigabytes, some minutes, npm and PyPI only.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/cabtrace-ci/agents}
say() { printf 'agents: %s\n' "$*" >&2; }

command -v node >/dev/null && command -v npm >/dev/null || { say "node and npm are needed (node 20 or later)"; exit 1; }
mkdir -p "$dir/bin" "$dir/home"
dir=$(cd "$dir" && pwd)
# Two jobs at once: the second waits for the first and finds its work done.
exec 9>"$dir/lock"
if command -v flock >/dev/null; then flock 9; fi

python=$(bash "$here/pythons.sh" | head -n 1)
uv=$here/../.venv/bin/uv
[ -x "$uv" ] || uv=$(command -v uv || true)

# fresh NAME FILE...: is NAME installed from exactly these files, by these interpreters?
fresh() {
  local name=$1; shift
  key=$( { cat "$@"; node --version; "$python" --version; } | sha256sum | cut -c1-16)
  stamp=$dir/$name.stamp
  [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]
}

link() { ln -sfn "$2" "$dir/bin/$1"; }

if ! fresh npm "$here/agents/package.json" "$here/agents/package-lock.json"; then
  say "npm packages"
  rm -rf "$dir/npm" "$stamp"
  mkdir -p "$dir/npm"
  cp "$here/agents/package.json" "$here/agents/package-lock.json" "$dir/npm/"
  # No package's own scripts but two, which put a program that npm has already fetched in its place.
  # Not `npm ci`: it wants the lock to name the packages of every platform, optional as they are, and a registry may not
  # have them all. Versions and hashes of the lock hold for `npm install` as well.
  (cd "$dir/npm" && npm install --ignore-scripts --no-audit --no-fund --loglevel=error >"$dir/npm.log" 2>&1) || {
    say "npm failed:"; tail -n 15 "$dir/npm.log" >&2; exit 1; }
  (export HOME=$dir/home; cd "$dir/npm/node_modules"
   node @anthropic-ai/claude-code/install.cjs && node opencode-ai/postinstall.mjs) >>"$dir/npm.log" 2>&1 || {
    say "a program cannot be put in its place:"; tail -n 15 "$dir/npm.log" >&2; exit 1; }
  for name in claude codex copilot gemini opencode qwen; do link "$name" "../npm/node_modules/.bin/$name"; done
  echo "$key" >"$stamp"
fi

# environment NAME PROGRAM...: a virtual environment of its own, from requirements-NAME.txt
environment() {
  local name=$1 list=$here/agents/requirements-$1.txt; shift
  if fresh "$name" "$list"; then return; fi
  say "$name"
  rm -rf "$dir/py/$name" "$stamp"
  "$python" -m venv "$dir/py/$name"
  if [ -n "$uv" ]; then
    VIRTUAL_ENV=$dir/py/$name "$uv" pip install --quiet --no-deps -r "$list" >&2
  else
    "$dir/py/$name/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$list" >&2
  fi
  for program in "$@"; do link "$program" "../py/$name/bin/$program"; done
  echo "$key" >"$stamp"
}

environment mini-swe-agent mini-swe-agent
environment aider aider
printf '%s\n' "$dir/bin"
