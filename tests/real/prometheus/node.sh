#!/bin/bash
# The first process of a node; room.sh starts it in namespaces of its own:  node.sh NODETAP HOME NUMBER
# Runs nodetap, and then each line of HOME/commands.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
nodetap=$1 home=$2 number=$3
mkdir -p "$home/root/proc"
mount -t proc proc /proc
mount -t proc proc "$home/root/proc"
ip link set lo up
ip address add "10.77.$number.2/30" dev uplink
ip link set uplink up
ip route add default via "10.77.$number.1"
# A rule that asks for a connection's state makes the kernel track.
iptables -A INPUT -m conntrack --ctstate INVALID -j DROP
# Nobody listens where the table is filled: without this the answers would be tracked too.
iptables -A INPUT -p udp -j DROP
sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
mkfifo "$home/commands"
"$nodetap" up --config "$home/nodetap.yaml" --root "$home/root" --state "$home/state" --listen "10.77.$number.2:9797" &
while true; do
    while read -r line; do eval "$line" & done < "$home/commands"
done
