#!/bin/bash
# Docker's programs and kind from Debian sid, unpacked beside the system: installing them would replace the system's libc.
# usage: engine-programs.sh OUT WORK   (WORK keeps the package lists and downloads between runs)
set -euo pipefail
out=$1 work=$2
mkdir -p "$work"/{lists/partial,archives/partial,debs} "$out"
mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
[ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list)
echo "deb $mirror sid main" > "$work/sid.list"
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/sid.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User=root)
"${apt[@]}" update
cd "$work/debs"
"${apt[@]}" download docker.io docker-cli docker-buildx containerd tini-static kind
for deb in ./*.deb; do dpkg -x "$deb" "$out"; done
mkdir -p "$out/bin"
ln -sf ../usr/libexec/docker/cli-plugins/docker-buildx "$out/bin/docker-buildx"
ln -sf ../usr/bin/docker "$out/bin/docker"
ln -sf ../usr/bin/kind "$out/bin/kind"
