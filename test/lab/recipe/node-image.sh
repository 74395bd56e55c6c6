#!/bin/bash
# The node image: root file system + programs + the control plane's images, unpacked, in the node's containerd store.
# usage: node-image.sh ROOTFS.tar PROGRAMS ENGINE-PROGRAMS IMAGE KEY   (DOCKER_HOST set; runs in a directory of its own, given by TMPDIR)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) rootfs=$1 programs=$2 engine=$3 image=$4 key=$5
. "$here/versions.env"
version=v1.$KUBERNETES
work=$(mktemp -d)
containerd=
clean() { [ -z "$containerd" ] || { kill "$containerd" 2>/dev/null && wait "$containerd" 2>/dev/null; } || :; rm -rf "$work"; }
trap clean EXIT
root=$work/root
mkdir "$root"; tar -C "$root" --numeric-owner -xf "$rootfs"

trim_and_furnish() {
  cp "$engine"/usr/bin/{containerd,containerd-shim-runc-v2,ctr} "$root/usr/bin/"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info} "$root"/var/log/*
  install -d "$root"/etc/containerd/certs.d "$root"/opt/cni/bin "$root"/etc/kubernetes/manifests
  for plugin in ptp host-local loopback portmap bridge; do cp "$root/usr/lib/cni/$plugin" "$root/opt/cni/bin/"; done
  local units=$root/etc/systemd/system unit
  rm -f "$root"/lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* "$units"/*.wants/* \
    "$root"/lib/systemd/system/sockets.target.wants/*udev* "$root"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
  ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
  for unit in systemd-binfmt.service systemd-udevd.service systemd-udevd-{kernel,control}.socket systemd-modules-load.service modprobe@.service \
    sys-kernel-{debug,tracing,config}.mount getty.target console-getty.service systemd-logind.service apt-daily{,-upgrade}.timer \
    dpkg-db-backup.timer e2scrub_all.timer fstrim.timer; do ln -sf /dev/null "$units/$unit"; done
  sed -i 's/^#\?ReadKMsg=.*/ReadKMsg=no/' "$root/etc/systemd/journald.conf"
  cp -r "$here"/rootfs/. "$root/"
  install -d "$units/multi-user.target.wants"
  ln -sf ../containerd.service ../kubelet.service "$units/multi-user.target.wants/"
  echo "$version" > "$root/kind/version"
  install -m755 "$programs/hyperkube" "$root/usr/bin/hyperkube"
  for program in kubelet kubeadm kubectl; do ln -sf hyperkube "$root/usr/bin/$program"; done
}

# from_directory IMAGE DIRECTORY [--change …]
from_directory() {
  local name=$1 dir=$2; shift 2
  mkdir -p "$dir/tmp"
  tar -C "$dir" --numeric-owner --owner=0 --group=0 -c . | docker import "$@" - "$name" > /dev/null
}

component_images() {
  local d
  d=$work/pause; install -D -m755 "$programs/pause" "$d/pause"
  from_directory "registry.k8s.io/pause:$PAUSE" "$d" --change 'ENTRYPOINT ["/pause"]' --change 'USER 65535:65535'
  d=$work/etcd; install -D -m755 "$programs/etcd" "$d/usr/local/bin/etcd"
  from_directory "registry.k8s.io/etcd:$ETCD-0" "$d" --change 'ENTRYPOINT ["/usr/local/bin/etcd"]'
  d=$work/coredns; install -D -m755 "$programs/coredns" "$d/coredns"
  install -D "$root/etc/ssl/certs/ca-certificates.crt" "$d/etc/ssl/certs/ca-certificates.crt"
  from_directory "registry.k8s.io/coredns/coredns:v$COREDNS" "$d" --change 'ENTRYPOINT ["/coredns"]'
  d=$work/localpath; install -D -m755 "$programs/localpath" "$d/usr/local/bin/local-path-provisioner"
  from_directory docker.io/devkit/local-path-provisioner:v1 "$d" --change 'ENTRYPOINT ["/usr/local/bin/local-path-provisioner"]'
  kubernetes_image
}

# One image for the four kube- components: the layer is stored and unpacked once. The proxy needs iptables and nft with their libraries.
kubernetes_image() {
  local d=$work/kube lib=usr/lib/x86_64-linux-gnu name file target
  install -D -m755 "$programs/hyperkube" "$d/usr/local/bin/hyperkube"
  for name in apiserver controller-manager scheduler proxy; do ln -s hyperkube "$d/usr/local/bin/kube-$name"; done
  mkdir -p "$d"/usr/sbin "$d/$lib/xtables" "$d"/{lib64,run,var/lib,etc}; ln -s usr/lib "$d/lib"
  cp "$root"/usr/sbin/{xtables-nft-multi,nft} "$d/usr/sbin/"
  for name in {iptables,ip6tables}{,-save,-restore}; do ln -s xtables-nft-multi "$d/usr/sbin/$name"; done
  cp "$root/$lib"/xtables/*.so "$d/$lib/xtables/"
  for file in $(chroot "$root" sh -c "ldd /usr/sbin/xtables-nft-multi /usr/sbin/nft /$lib/xtables/*.so" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | grep -v /xtables/ | sort -u); do
    case $file in /lib64/*) target=$d$file ;; *) target=$d/$lib/${file##*/} ;; esac
    [ -e "$target" ] || cp -L "$root$file" "$target"
  done
  from_directory "registry.k8s.io/kube-apiserver:$version" "$d"
  for name in controller-manager scheduler proxy; do docker tag "registry.k8s.io/kube-apiserver:$version" "registry.k8s.io/kube-$name:$version"; done
}

# Unpacked and pinned here, so that nothing is unpacked when a cluster starts.
bake() {
  local images=(registry.k8s.io/kube-{apiserver,controller-manager,scheduler,proxy}:"$version" "registry.k8s.io/etcd:$ETCD-0"
    "registry.k8s.io/coredns/coredns:v$COREDNS" "registry.k8s.io/pause:$PAUSE" docker.io/devkit/local-path-provisioner:v1) name
  docker save -o "$work/images.tar" "${images[@]}"
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri","io.containerd.internal.v1.opt"]\n' > "$work/containerd.toml"
  mkdir -p "$root/var/lib/containerd"
  "$root/usr/bin/containerd" -c "$work/containerd.toml" --root "$root/var/lib/containerd" --state "$work/state" -a "$work/c.sock" > "$work/containerd.log" 2>&1 &
  containerd=$!
  local ctr=("$root/usr/bin/ctr" -a "$work/c.sock" -n k8s.io)
  for _ in $(seq 100); do "${ctr[@]}" version > /dev/null 2>&1 && break; sleep 0.1; done
  "${ctr[@]}" images import --all-platforms "$work/images.tar" > /dev/null
  for name in $("${ctr[@]}" images ls -q); do "${ctr[@]}" images label "$name" io.cri-containerd.pinned=pinned > /dev/null; done
  kill "$containerd"; wait "$containerd" || :; containerd=
  docker rmi "${images[@]}" > /dev/null
}

trim_and_furnish
component_images
bake
tar -C "$root" --numeric-owner --xattrs -c . | docker import --change "LABEL dev.devkit.lab=$key" --change 'ENV container=docker' --change 'STOPSIGNAL SIGRTMIN+3' \
  --change 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' - "$image" > /dev/null
