#!/usr/bin/env bash
# backends.sh [DIR]: builds the real trace backends that tests/backends sends to, at pinned versions, below DIR, and prints the
# folder with the programs. What is there already is left as it is: the second call takes no time. Go and its module proxy only.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/cabtrace-ci/backends}
say() { printf 'backends: %s\n' "$*" >&2; }

command -v go >/dev/null || { say "go is needed (1.26 or later); without it the tests of real backends are skipped"; exit 1; }
mkdir -p "$dir/bin"
dir=$(cd "$dir" && pwd)
# Two jobs at once: the second waits for the first and finds its work done.
exec 9>"$dir/lock"
if command -v flock >/dev/null; then flock 9; fi
export GOTOOLCHAIN=local

# fresh NAME FILE...: is NAME built from exactly these files, by this Go?
fresh() {
  local name=$1; shift
  key=$( { cat "$@"; go version; } | sha256sum | cut -c1-16)
  stamp=$dir/$name.stamp
  [ -x "$dir/bin/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]
}

# build NAME COMMAND...: runs it with its output in a log, and shows the log's end where it fails
build() {
  local name=$1 started=$SECONDS; shift
  say "$name (some minutes)"
  rm -f "$stamp"
  "$@" >"$dir/$name.log" 2>&1 || { say "$name failed:"; tail -n 15 "$dir/$name.log" >&2; exit 1; }
  echo "$key" >"$stamp"
  say "$name took $((SECONDS - started)) s"
}

# Jaeger's newest version that the module proxy has under a tag. It holds replace directives, so `go install` refuses it: a module
# of our own repeats them, with the requirements and the checksums of Jaeger's own go.mod and go.sum.
jaeger() {
  (cd "$here/backends/jaeger" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$dir/bin/jaeger" \
    github.com/jaegertracing/jaeger/cmd/jaeger)
}
if ! fresh jaeger "$here/backends/jaeger/go.mod" "$here/backends/jaeger/go.sum"; then build jaeger jaeger; fi

# The OpenTelemetry Collector, by its own builder. The checksum database has no entry of one of its parts, so that stands here.
json_file=github.com/open-telemetry/opentelemetry-collector-contrib/receiver/otlpjsonfilereceiver
json_file_sum="$json_file v0.142.0 h1:JVPj0/oxOJsWujj4+xf40bdyMFJWpNjX9wnc0SzNOC8="
collector() {
  rm -rf "$dir/collector" && mkdir -p "$dir/collector"
  GOBIN=$dir/collector go install go.opentelemetry.io/collector/cmd/builder@v0.159.0
  (cd "$dir/collector" && GONOSUMDB=$json_file ./builder --config "$here/backends/collector.yaml")
  grep -qxF "$json_file_sum" "$dir/collector/build/go.sum" || { echo "$json_file is not what it was"; return 1; }
  mv "$dir/collector/build/otelcol" "$dir/bin/otelcol"
  rm -rf "$dir/collector"
}
if ! fresh otelcol "$here/backends/collector.yaml"; then build otelcol collector; fi

# Tempo, as Jaeger: its newest version that the module proxy serves is 2.8, under a pseudo-version that Grafana's own go.mod
# requires; the checksum beside it is that of Grafana's go.sum, for the checksum database has no entry of it.
tempo() {
  (cd "$here/backends/tempo" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$dir/bin/tempo" \
    github.com/grafana/tempo/cmd/tempo)
}
if ! fresh tempo "$here/backends/tempo/go.mod" "$here/backends/tempo/go.sum"; then build tempo tempo; fi

echo "$dir/bin"
