#!/bin/bash
# Nodes, and the switch between them, until its input ends:  unshare --net room.sh NODETAP HOME...
# The room's own network namespace is the switch, 10.77.0.1, and the place of whoever watches. Node number N is reached
# at 10.77.N.2; it is silent for those nodes whose address is put into the set `fault silent`.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
nodetap=$1
shift
ip link set lo up
ip address add 10.77.0.1/32 dev lo
nft -f - << 'NFT'
table ip fault {
    set silent { type ipv4_addr; }
    chain input {
        type filter hook input priority filter; policy accept;
        ip daddr 10.77.0.1 ip saddr @silent drop
    }
}
NFT
pids=()
end() {
    # unshare(1) takes no other signal while its child lives, which it takes with it.
    kill -KILL "${pids[@]}" 2> /dev/null || true
    wait
    # The cgroups of pods (jvm.sh) can go when nobody is left in them.
    for cgroup in /sys/fs/cgroup/nodetap-chain-$$ /sys/fs/cgroup/pids/nodetap-chain-$$; do
        [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} \;
    done
}
trap end EXIT
number=0
for home; do
    number=$((number + 1))
    unshare --net sleep infinity &
    network=$!
    pids+=("$network")
    until [ "$(readlink "/proc/$network/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
    ip link add "node$number" type veth peer name uplink netns "$network"
    ip address add "10.77.$number.1/30" dev "node$number"
    ip link set "node$number" up
    CGROUP=nodetap-chain-$$ nsenter --net="/proc/$network/ns/net" unshare --pid --mount --fork --kill-child=KILL \
        "$here/node.sh" "$nodetap" "$home" "$number" >> "$home/node.log" 2>&1 &
    pids+=("$!")
done
echo ready
read -r || true
