#!/bin/bash
# Fills a table of connections and says what a probe of it takes, empty and full:  unshare --net full-table.sh NODETAP ENTRIES STATE
# Prints `empty=` and `full=` in seconds (the middle one of five) and `entries=`.
set -euo pipefail
nodetap=$1 entries=$2 state=$3
ip link set lo up
iptables -A INPUT -m conntrack --ctstate INVALID -j DROP
iptables -A INPUT -p udp -j DROP
sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
probe() { # the middle one of five
    for _ in 1 2 3 4 5; do
        "$nodetap" --state "$state" metrics nodetap_probe_duration_seconds | sed -n 's/^nodetap_probe_duration_seconds{probe="conntrack"} //p'
    done | sort -g | sed -n 3p
}
echo "empty=$(probe)"
python3 - "$entries" <<'PY'
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[1])):
    sender.sendto(b"", (f"127.{1 + number // 50000}.0.1", 1024 + number % 50000))
PY
echo "entries=$(cat /proc/sys/net/netfilter/nf_conntrack_count)"
echo "full=$(probe)"
