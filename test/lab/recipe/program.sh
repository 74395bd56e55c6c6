#!/bin/bash
# One program of the lab, from Go modules pinned by the recipe's go.sum. usage: program.sh NAME OUT WORK GO
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) name=$1 out=$2 work=$3 go=$4
. "$here/versions.env"
# Caches of its own: the lab leaves nothing in the user's, and can be removed whole.
export GOCACHE=$work/go-build GOMODCACHE=$work/go-mod GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-mod=mod -modcacherw"
source=$work/source/$name
mkdir -p "$source" "$(dirname "$out")"
if [ "$name" = pause ]; then exec gcc -Os -static -s -o "$out" "$here/pause.c"; fi
cp "$here/go/$name"/* "$source"; cd "$source"
package=. stamp=
case $name in
  hyperkube) # an unstamped kubeadm takes itself for a version that does not exist
    for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
      stamp+=" -X $p.gitVersion=v1.$KUBERNETES -X $p.gitMajor=1 -X $p.gitMinor=${KUBERNETES%%.*} -X $p.gitTreeState=clean -X $p.gitCommit=0000000 -X $p.buildDate=2026-01-01T00:00:00Z"
    done ;;
  helm) package=helm.sh/helm/v3/cmd/helm stamp=" -X helm.sh/helm/v3/internal/version.version=v$HELM" ;;
esac
"$go" build -trimpath -ldflags "-s -w$stamp" -o "$out.part" "$package"
mv "$out.part" "$out"
