#!/usr/bin/env bash
# Makes an OCI image archive with nothing in it but the static binary; needs no daemon and no root.
# Layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
set -euo pipefail
cd "$(dirname "$0")/../.."
out=target/nodetap-image.tar
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target=x86_64-unknown-linux-gnu

# The C library is linked in; nothing here looks up host names, which is all that glibc would need files for.
RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked -p cli --target "$target"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/image/blobs/sha256"
cp "target/$target/release/nodetap" "$work/root/bin/nodetap"
strip "$work/root/bin/nodetap"

# The same input gives the same image: no times, no names of ours.
archive() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" "${@:3}"; }
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
size() { stat -c %s "$1"; }
# Puts a file among the blobs, under its digest, and prints a descriptor of it.
blob() {
    local sum
    sum=$(digest "$1")
    cp "$1" "$work/image/blobs/sha256/$sum"
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$2" "$sum" "$(size "$1")"
}

archive "$work/root" "$work/layer.tar" bin
layer_sum=$(digest "$work/layer.tar")
gzip -n -9 "$work/layer.tar"
layer=$(blob "$work/layer.tar.gz" application/vnd.oci.image.layer.v1.tar+gzip)

cat > "$work/config.json" << CONFIG
{"architecture":"amd64","os":"linux",
 "config":{"Entrypoint":["/bin/nodetap"],"Cmd":["up"],"Labels":{"org.opencontainers.image.version":"$version"}},
 "rootfs":{"type":"layers","diff_ids":["sha256:$layer_sum"]}}
CONFIG
config=$(blob "$work/config.json" application/vnd.oci.image.config.v1+json)

cat > "$work/manifest.json" << MANIFEST
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":$config,"layers":[$layer]}
MANIFEST
manifest=$(blob "$work/manifest.json" application/vnd.oci.image.manifest.v1+json)

named=${manifest%\}}
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"org.opencontainers.image.ref.name":"nodetap:%s"}}]}\n' \
    "$named" "$version" > "$work/image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}\n' > "$work/image/oci-layout"
archive "$work/image" "$out" blobs index.json oci-layout
echo "$out: $(size "$out") bytes, nodetap:$version"
