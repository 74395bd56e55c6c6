#!/bin/bash
# The node's file system without devkit's own programs, as a tar: Debian 12 with systemd 252, the last that boots on cgroup v1 and v2 alike.
# usage: rootfs.sh OUT.tar
set -euo pipefail
packages=systemd,systemd-sysv,iproute2,iptables,nftables,conntrack,ethtool,kmod,procps,ca-certificates,curl,containernetworking-plugins,runc
# perl-base comes with every Debian; devkit's stream into a node needs it
mmdebstrap --quiet --format=tar --variant=minbase --include="$packages" bookworm "$1.part"
mv "$1.part" "$1"
