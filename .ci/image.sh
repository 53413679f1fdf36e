#!/usr/bin/env bash
# Builds the image of the Containerfile with docker, podman or buildah: with the first that is there and works.
#
#   image.sh [OPTION …]     further options for the tool's build
#
# By the environment: IMAGE, its name; PLATFORM, such as linux/arm64, or several with commas (builds for another processor need its
# emulation, by binfmt_misc, on this machine); RUST_IMAGE, the base of the first stage; VERSION, REVISION and SOURCE, its labels;
# TOOL, if it is to be that one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Whether the tool can build here.
works() {
  case $1 in
    buildah) buildah images >/dev/null 2>&1 ;;
    *) "$1" info >/dev/null 2>&1 ;;
  esac
}

choose() {
  local tool
  for tool in ${TOOL:-docker podman buildah}; do
    if ! command -v "$tool" >/dev/null; then
      [ -z "${TOOL:-}" ] || echo "image.sh: there is no $tool on the PATH" >&2
    elif works "$tool"; then
      echo "$tool"
      return
    elif [ "$tool" = docker ]; then
      echo "docker is passed over: it reaches no daemon (docker info)" >&2
    elif [ "$tool" = podman ]; then
      echo "podman is passed over: it does not work here (podman info)" >&2
    else
      echo "$tool is passed over: it does not work here ($tool images)" >&2
    fi
  done
  echo "image.sh: nothing here can build an image: start docker, or install podman or buildah (on Debian and Ubuntu: apt-get install buildah)" >&2
  return 1
}

version=${VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)}
image=${IMAGE:-ghcr.io/entitlements-dev/entitlement-operator:$version}
revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || true)}
# Without the name and the password that an address may hold.
source=${SOURCE:-$(git remote get-url origin 2>/dev/null | sed -nE '/^https:/ { s#^https://[^@/]*@#https://#; s#\.git$##; p }' || true)}

tool=$(choose)
arguments=(--file Containerfile --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=$source")
[ -z "${RUST_IMAGE:-}" ] || arguments+=(--build-arg "RUST_IMAGE=$RUST_IMAGE")
[ -z "${PLATFORM:-}" ] || arguments+=(--platform "$PLATFORM")
# Images of several platforms are one list. docker makes it by itself.
if [ "$tool" != docker ] && [[ "${PLATFORM:-}" == *,* ]]; then
  arguments+=(--manifest "$image")
else
  arguments+=(--tag "$image")
fi
echo "$tool builds $image" >&2
# Older ones know no --mount otherwise.
export DOCKER_BUILDKIT=1
"$tool" build "${arguments[@]}" "$@" .
