#!/bin/bash
# debian:bookworm-slim for the examples, trusting what this machine trusts: builds behind a TLS-inspecting proxy need it. usage: base-image.sh OUT.tar WORK
set -euo pipefail
out=$1 work=$2
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "$work/pip.conf"
trusted=()
[ -d /usr/local/share/ca-certificates ] && trusted=(--customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share' --customize-hook='chroot "$1" update-ca-certificates')
mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates "${trusted[@]}" --customize-hook="copy-in $work/pip.conf /etc" bookworm "$out.part"
mv "$out.part" "$out"
