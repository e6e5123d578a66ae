#!/usr/bin/env bash
# hello.txt must hold the word and nothing else; the newline may be missing.
set -u
workdir="${CABTRACE_WORKDIR:-$PWD}"
logs="${CABTRACE_LOGS:-/logs/verifier}"

mkdir -p "$logs"
echo "TAP version 13"
echo "1..1"
if [ -f "$workdir/hello.txt" ] && [ "$(cat "$workdir/hello.txt")" = hello ]; then
    echo "ok 1 - hello.txt holds the word hello"
    echo 1 >"$logs/reward.txt"
else
    echo "not ok 1 - hello.txt holds the word hello"
    echo 0 >"$logs/reward.txt"
    exit 1
fi
