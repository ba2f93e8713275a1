#!/usr/bin/env bash
# Installs what the tests need beyond Rust and Go, from Debian's packages; does nothing where it is there already.
set -euo pipefail
missing=()
need() { command -v "$1" > /dev/null || missing+=("$2"); }
need mkfs.ext4 e2fsprogs
need perl perl
need ip iproute2
need iptables iptables
need nft nftables
need tc iproute2
need conntrack conntrack
need linux.uml user-mode-linux
need modprobe kmod
need ipvsadm ipvsadm
need keepalived keepalived
need unshare util-linux
need openssl openssl
need python3 python3
need curl curl
need mvn maven
need javac openjdk-17-jdk-headless
need promtool prometheus
need amtool prometheus-alertmanager
/usr/bin/python3 -c "import jsonschema, yaml" 2> /dev/null || missing+=(python3-jsonschema python3-yaml)
python3 -c "import ensurepip, venv" 2> /dev/null || missing+=(python3-venv)
[[ ${#missing[@]} -gt 0 ]] || exit 0
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get > /dev/null; then
    echo "tests need: ${missing[*]} (install them, or run as root on Debian)" >&2
    exit 1
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
