#!/bin/sh
# install.sh AGENT PROGRAM MANAGER PACKAGE...: run as root while an image is built. What the base has already is left as it is.
# Wheels lie beside this script: cabtrace's own, and maybe all others that it needs; then no index is asked.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
agent=$1 program=$2 manager=$3
shift 3
have() { command -v "$1" >/dev/null 2>&1; }
fail() { echo "install.sh: $*" >&2; exit 1; }
pip=$(ls "$here"/pip-*.whl 2>/dev/null | head -n 1)

find_python() {
  python=
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if have "$candidate" && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      if [ -n "$pip" ] || "$candidate" -c 'import ensurepip' 2>/dev/null; then python=$candidate; return; fi
    fi
  done
}

find_python
need=
[ -n "$python" ] || need="python3 python3-venv"
have git || need="$need git ca-certificates"
have bash || need="$need bash"
if [ -n "$need" ]; then
  have apt-get || fail "the base lacks: $need, and there is no apt-get to install it with"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need
  rm -rf /var/lib/apt/lists/*
  find_python
  [ -n "$python" ] || fail "the base has no Python 3.11 or later"
fi

# environment DIR: a virtual environment, and how to install into it
environment() {
  if [ -n "$pip" ]; then
    "$python" -m venv --without-pip "$1"
    into="$1/bin/python $pip/pip"
  else
    "$python" -m venv "$1"
    into="$1/bin/python -m pip"
  fi
}

if [ "$manager" != none ] && ! have "$program"; then
  case $manager in
    npm)
      have npm || fail "the base has neither $program nor npm"
      npm install --global --no-audit --no-fund --loglevel=error "$@"
      ;;
    pip)
      environment /opt/agent
      $into install --quiet --no-cache-dir --disable-pip-version-check "$@"
      ln -s "/opt/agent/bin/$program" "/usr/local/bin/$program"
      ;;
    *) fail "there is no package manager $manager" ;;
  esac
  have "$program" || fail "$program was not installed by: $*"
fi

environment /opt/cabtrace
if [ -n "$pip" ]; then
  $into install --quiet --disable-pip-version-check --no-cache-dir --no-index --find-links "$here" "$here"/cabtrace-*.whl
else
  $into install --quiet --disable-pip-version-check --no-cache-dir "$here"/cabtrace-*.whl
fi
/opt/cabtrace/bin/cabtrace --version

id cabtrace >/dev/null 2>&1 || useradd --create-home --shell /bin/bash cabtrace
# Also for `docker run --user`: whoever it is must be able to write here.
mkdir -p /cabtrace/store
chmod 1777 /cabtrace/store
echo "install.sh: $agent is ready"
