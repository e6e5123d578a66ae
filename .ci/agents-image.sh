#!/usr/bin/env bash
# agents-image.sh TAG BASE [DIR]: an image with the CLIs that the matrix runs in Docker, from BASE, this machine's node and
# what agents.sh installed below DIR. No registry is asked; an image made from the same parts is left as it is.
set -euo pipefail

tag=${1:?usage: agents-image.sh TAG BASE [DIR]}
base=${2:?usage: agents-image.sh TAG BASE [DIR]}
dir=${3:-${XDG_CACHE_HOME:-$HOME/.cache}/cabtrace-ci/agents}
say() { printf 'agents-image: %s\n' "$*" >&2; }

[ -s "$dir/npm.stamp" ] || { say "nothing is installed below $dir; agents.sh does that"; exit 1; }
node=$(readlink -f "$(command -v node)")
key=$( { echo 1; cat "$dir/npm.stamp"; node --version; docker image inspect --format '{{.Id}}' "$base"; } | sha256sum | cut -c1-16)
if [ "$(docker image inspect --format '{{index .Config.Labels "cabtrace.recipe"}}' "$tag" 2>/dev/null)" = "$key" ]; then
  say "$tag is there"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/Dockerfile" <<DOCKERFILE
FROM $base
LABEL cabtrace.recipe=$key
COPY node /usr/local/bin/node
COPY node_modules /opt/agents/node_modules
RUN cd /usr/local/bin \\
 && ln -s /opt/agents/node_modules/@anthropic-ai/claude-code/bin/claude.exe claude \\
 && ln -s /opt/agents/node_modules/@openai/codex/bin/codex.js codex \\
 && ln -s /opt/agents/node_modules/@github/copilot/npm-loader.js copilot \\
 && claude --version && codex --version && copilot --version
DOCKERFILE
say "building $tag (a minute)"
tar -cf - -C "$work" Dockerfile -C "$(dirname "$node")" "$(basename "$node")" \
  -C "$dir/npm" --exclude=node_modules/@google --exclude=node_modules/@qwen-code --exclude='node_modules/opencode*' node_modules |
  DOCKER_BUILDKIT=0 docker build --quiet --force-rm --network none -t "$tag" - >/dev/null
say "$tag made"
