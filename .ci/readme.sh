#!/usr/bin/env bash
# A fresh clone, and what README's first screen says, as a newcomer would type it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet . "$work/cabtrace"
cd "$work/cabtrace"
export CABTRACE_STORE="$work/store" CABTRACE_SCRATCH="$work/scratch"
make demo PYTHON="$(bash .ci/pythons.sh | head -n 1)"
.venv/bin/cabtrace ls
.venv/bin/cabtrace show @failed
.venv/bin/cabtrace verify @failed
.venv/bin/cabtrace replay --plain @failed | tail -n 5
.venv/bin/cabtrace gc
