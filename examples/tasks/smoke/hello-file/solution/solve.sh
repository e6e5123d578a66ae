#!/usr/bin/env bash
set -eu
cd "${CABTRACE_WORKDIR:-$PWD}"
printf 'hello\n' >hello.txt
