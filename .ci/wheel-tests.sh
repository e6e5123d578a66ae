#!/usr/bin/env bash
# wheel-tests.sh PYTHON [FOLDER...]: the tests (all folders, else those named; none that takes long) against the built wheel in a clean
# environment with no extras, outside of the checkout.
set -euo pipefail
python=$1
shift
here=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "--- $("$python" --version)"
"$python" -m venv "$work/venv"
# the very versions of uv.lock, and the wheel instead of the checkout
"$here/.venv/bin/uv" export --quiet --frozen --no-emit-project --no-default-groups --group test --no-hashes > "$work/requirements.txt"
VIRTUAL_ENV="$work/venv" "$here/.venv/bin/uv" pip install --quiet -r "$work/requirements.txt"
VIRTUAL_ENV="$work/venv" "$here/.venv/bin/uv" pip install --quiet --no-deps "$here"/dist/cabtrace-*.whl
cp -r tests examples pyproject.toml README.md docs "$work/"
cd "$work"
rm -rf tests/house # these look at the checkout itself
"$work/venv/bin/python" -c 'import cabtrace, replay, exporters, pathlib, sys; sys.exit("site-packages" not in cabtrace.__file__)'
"$work/venv/bin/python" -m pytest -n auto --dist loadgroup -m "not docker and not matrix and not backends and not slow" "$@"
