#!/bin/bash
# The minikube program, from Go modules pinned by go.sum. usage: program.sh OUT WORK GO
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) out=$1 work=$2 go=$3
# its driver for virtual machines needs C; with this tag libvirt is looked for only when it is used, so that none is needed here
export GOCACHE=$work/go-build GOMODCACHE=$work/go-mod GOFLAGS="-mod=mod -modcacherw" CGO_ENABLED=1
source=$work/source/minikube
mkdir -p "$source" "$(dirname "$out")"
cp "$here"/go.* "$source"; cd "$source"
version=$(sed -n 's/^require k8s.io\/minikube //p' go.mod) package=k8s.io/minikube/pkg/version
"$go" build -tags libvirt_dlopen -trimpath -ldflags "-s -w -X $package.version=$version -X $package.storageProvisionerVersion=v5" \
  -o "$out.part" k8s.io/minikube/cmd/minikube
mv "$out.part" "$out"
