#!/bin/bash
# Debian sid's Go, unpacked beside the system, for a machine whose own is older than 1.24. usage: go-toolchain.sh OUT WORK
set -euo pipefail
out=$1 work=$2
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/sid.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User=root)
mkdir -p "$work/go-debs" "$out"; cd "$work/go-debs"
version=$("${apt[@]}" -s install golang-go 2>/dev/null | sed -n 's/^Inst golang-\([0-9.]*\)-go .*/\1/p' | head -1)
"${apt[@]}" download "golang-$version-go" "golang-$version-src"
for deb in ./*.deb; do dpkg -x "$deb" "$out"; done
mkdir -p "$out/bin"
# Debian splits GOROOT between /usr/lib and /usr/share by absolute links: join them again below OUT.
root=$out/usr/lib/go-$version
for link in "$root"/*; do [ -L "$link" ] && [ -e "$out/usr/share/go-$version/$(basename "$link")" ] && ln -sfn "../../share/go-$version/$(basename "$link")" "$link"; done
ln -sf "../usr/lib/go-$version/bin/go" "$out/bin/go"
GOROOT=$root "$out/bin/go" version
