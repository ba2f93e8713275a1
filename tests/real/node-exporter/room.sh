#!/bin/bash
# Two exporters of one node, in a network namespace of their own:  unshare --net room.sh NODETAP NODE_EXPORTER DIR
# Some connections are tracked; then each is scraped in turn, ours before and after the other, into DIR.
set -euo pipefail
nodetap=$1 node_exporter=$2 directory=$3
ip link set lo up
# A rule that asks for a connection's state makes the kernel track; scrapes are left out, so that nothing moves.
iptables -t raw -A PREROUTING -p tcp -j CT --notrack
iptables -t raw -A OUTPUT -p tcp -j CT --notrack
iptables -A INPUT -m conntrack --ctstate INVALID -j DROP
iptables -A INPUT -p udp -j DROP
sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
python3 -c '
import socket
for _ in range(23):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9999))'

trap 'kill $(jobs -p) 2> "$directory/errors"' EXIT
"$nodetap" --state "$directory/state" export --listen 127.0.0.1:9798 > "$directory/ours.log" 2>&1 &
"$node_exporter" --collector.disable-defaults --collector.conntrack --collector.timex \
    --web.listen-address=127.0.0.1:9100 > "$directory/theirs.log" 2>&1 &
scrape() { curl --silent --show-error --fail --retry 30 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$1/metrics" > "$directory/$2"; }
scrape 9798 before
scrape 9100 theirs
scrape 9798 after
