#!/usr/bin/env bash
# Builds the static program and packs it into target/nodetap-image.tar; needs no daemon and no root.
#
#   build.sh [OUT.tar]
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
built=${CARGO_TARGET_DIR:-target}/release/nodetap

# With the C library linked in (docs/decisions/0008-static-with-glibc.md): the image has none. The flag goes to the last
# step alone, so all libraries are those of an ordinary release build.
cargo rustc --release --locked -p cli --bin nodetap -- -C target-feature=+crt-static

# A program that still asks for an interpreter would not start in an image that has none.
if readelf --program-headers "$built" | grep -q INTERP; then
    echo "$built is not static" >&2
    exit 1
fi
# What `nodetap jvm attach` loads into a JVM lies beside the program.
agent=exporter/jvm-agent/target/nodetap-jvm-agent.jar
if command -v mvn > /dev/null; then
    make --directory exporter/jvm-agent
    set -- "${1:-target/nodetap-image.tar}" "$agent:/bin/nodetap-jvm-agent.jar"
else
    echo "no Maven here: the image has no agent, so \`nodetap jvm attach\` needs --agent FILE" >&2
fi
deploy/image/pack.sh "${1:-target/nodetap-image.tar}" "$version" "$built" "${@:2}"
