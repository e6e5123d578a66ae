#!/usr/bin/env bash
# Takes src/ and nothing else of the agent's folder, and runs our own tests against it.
set -u
workdir="${CABTRACE_WORKDIR:-$PWD}"
tests="${CABTRACE_TESTS:-/tests}"
logs="${CABTRACE_LOGS:-/logs/verifier}"

if ! command -v node >/dev/null; then
    echo "node is not installed" >&2
    exit 127
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cp "$tests/hidden.test.mjs" "$scratch/"
cp -R "$workdir/src" "$scratch/src" || exit 1
echo '{"type": "module"}' >"$scratch/package.json"

mkdir -p "$logs"
cd "$scratch" || exit 1
unset NODE_OPTIONS
if node --test --test-reporter=tap hidden.test.mjs; then
    echo 1 >"$logs/reward.txt"
else
    echo 0 >"$logs/reward.txt"
    exit 1
fi
