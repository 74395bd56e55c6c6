#!/bin/bash
# The image of minikube's node, and an empty archive of images for minikube's cache: with it minikube looks for no image and no program anywhere.
# usage: image.sh NODE-IMAGE VERSION IMAGE KEY PRELOAD   (DOCKER_HOST set)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) node=$1 version=$2 image=$3 key=$4 preload=$5
docker build --quiet --build-arg "NODE=$node" --build-arg "VERSION=$version" --label "dev.devkit.lab.minikube=$key" --tag "$image" "$here"
docker run --rm --entrypoint sh "$image" -c 'tar -c -T /dev/null | lz4 -c' > "$preload.part"
mv "$preload.part" "$preload"
