#!/usr/bin/env bash
# Prints every Python from 3.11 on: the newest patch release of each minor version that pyenv has, else python3.
set -euo pipefail
root=${PYENV_ROOT:-$HOME/.pyenv}
found=()
for minor in 11 12 13 14 15; do
  last=$(ls -d "$root"/versions/3.$minor.* 2>/dev/null | sort -V | tail -n 1 || true)
  if [ -n "$last" ] && "$last/bin/python" -c 'import ssl, sqlite3, curses' 2>/dev/null; then found+=("$last/bin/python"); fi
done
if [ ${#found[@]} -eq 0 ]; then found=("$(command -v python3)"); fi
printf '%s\n' "${found[@]}"
