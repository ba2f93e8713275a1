#!/usr/bin/env bash
# Packs a program into an OCI image archive, with nothing but files; needs no daemon and no root.
#
#   pack.sh OUT.tar VERSION PROGRAM [FILE:PATH ...]     further FILEs are put at PATH, as a program that is not static needs
#
# Layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md, and beside it the `manifest.json` of
# `docker save`, because Docker before 25 loads nothing else.
set -euo pipefail
out=$1 version=$2 program=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
name=docker.io/library/nodetap:$version

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root image=$work/image
mkdir -p "$root"/{bin,etc,tmp} "$image/blobs/sha256"
chmod 1777 "$root/tmp"
strip -o "$root/bin/nodetap" "$program"
chmod 0755 "$root/bin/nodetap"
cp "$here/nsswitch.conf" "$root/etc/nsswitch.conf"
for pair; do
    mkdir -p "$root$(dirname "${pair#*:}")"
    cp -L "${pair%%:*}" "$root${pair#*:}"
done

# The same input gives the same image: no times, no names of ours.
archive() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" "${@:3}"; }
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
size() { stat -c %s "$1"; }
# Puts a file among the blobs, under its digest, and prints a descriptor of it.
blob() {
    local sum
    sum=$(digest "$1")
    cp "$1" "$image/blobs/sha256/$sum"
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$sum" "$(size "$1")"
}

archive "$root" "$work/layer.tar" .
layer_sum=$(digest "$work/layer.tar")
gzip -n -6 "$work/layer.tar"
layer=$(blob "$work/layer.tar.gz" application/vnd.oci.image.layer.v1.tar+gzip)

cat > "$work/config.json" << CONFIG
{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",
 "config":{"Env":["PATH=/bin"],"Entrypoint":["/bin/nodetap"],"Cmd":["up"],"WorkingDir":"/",
  "Labels":{"org.opencontainers.image.version":"$version"}},
 "rootfs":{"type":"layers","diff_ids":["sha256:$layer_sum"]}}
CONFIG
config=$(blob "$work/config.json" application/vnd.oci.image.config.v1+json)

cat > "$work/oci-manifest.json" << MANIFEST
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":$config,"layers":[$layer]}
MANIFEST
manifest=$(blob "$work/oci-manifest.json" application/vnd.oci.image.manifest.v1+json)

# Two names: the one that containerd imports by, and the one that other tools list.
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"}}]}\n' \
    "${manifest%\}}" "$name" "$version" > "$image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}\n' > "$image/oci-layout"
config_sum=$(digest "$work/config.json") layer_sum=$(digest "$work/layer.tar.gz")
printf '[{"Config":"blobs/sha256/%s","RepoTags":["nodetap:%s"],"Layers":["blobs/sha256/%s"]}]\n' \
    "$config_sum" "$version" "$layer_sum" > "$image/manifest.json"
mkdir -p "$(dirname "$out")"
archive "$image" "$out" blobs index.json manifest.json oci-layout
echo "$out: $(size "$out") bytes, nodetap:$version"
