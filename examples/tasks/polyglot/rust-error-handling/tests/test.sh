#!/usr/bin/env bash
# Compiles the agent's src/ with our own manifest and tests, so that nothing else the agent wrote takes part.
set -u
workdir="${CABTRACE_WORKDIR:-$PWD}"
tests="${CABTRACE_TESTS:-/tests}"
logs="${CABTRACE_LOGS:-/logs/verifier}"

if ! command -v cargo >/dev/null; then
    echo "cargo is not installed" >&2
    exit 127
fi
if ! cargo --version >/dev/null 2>&1; then
    # rustup's cargo looks for its toolchains below HOME, which a sandbox may have changed
    RUSTUP_HOME="$(dirname "$(dirname "$(dirname "$(command -v cargo)")")")/.rustup"
    export RUSTUP_HOME
    cargo --version >/dev/null || exit 127
fi

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tests"
cp "$tests/Cargo.toml" "$scratch/"
cp "$tests/hidden.rs" "$scratch/tests/"
cp -R "$workdir/src" "$scratch/src" || exit 1

mkdir -p "$logs"
cd "$scratch" || exit 1
if CARGO_TARGET_DIR="$scratch/target" CARGO_TERM_COLOR=never cargo test --quiet --offline --test hidden -- --format=pretty --color=never; then
    echo 1 >"$logs/reward.txt"
else
    echo 0 >"$logs/reward.txt"
    exit 1
fi
