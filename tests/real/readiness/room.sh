#!/bin/bash
# A node with its gateway in network namespaces:
#   unshare --net --pid --fork --kill-child --mount-proc -- room.sh NODETAP DIR
# Prints for each situation what /ready answers and the metrics of the pings.
set -euo pipefail
nodetap=$1 directory=$2
cd "$directory"

unshare --net sleep infinity &
gateway=$!
unshare --net sleep infinity &
pod=$!
for other in $gateway $pod; do
    until [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
done
in_gateway() { nsenter --target "$gateway" --net "$@"; }
in_pod() { nsenter --target "$pod" --net "$@"; }

# The gateway is 10.1.0.1, a neighbour that it stands before 10.1.0.9; the pod's network is behind the node.
ip link set lo up
ip link add up0 type veth peer name down0 netns "$gateway"
ip address add 10.1.0.2/24 dev up0
ip link set up0 up
in_gateway ip link set lo up
in_gateway ip address add 10.1.0.1/24 dev down0
in_gateway ip address add 10.1.0.9/24 dev down0
in_gateway ip link set down0 up
in_gateway ip route add 10.2.0.0/24 via 10.1.0.2
ip route add default via 10.1.0.1
ip link add pod0 type veth peer name eth0 netns "$pod"
ip address add 10.2.0.1/24 dev pod0
ip link set pod0 up
in_pod ip link set lo up
in_pod ip address add 10.2.0.2/24 dev eth0
in_pod ip link set eth0 up
in_pod ip route add default via 10.2.0.1
echo 1 > /proc/sys/net/ipv4/ip_forward

# The pod is known by a cgroup of its process and by its log directory.
uid=0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11
root=$directory/root
mkdir -p "$root/var/log/pods/shop_web-1_$uid"
ln -s /proc "$root/proc"
hierarchy=/sys/fs/cgroup
[ -e "$hierarchy/cgroup.controllers" ] || hierarchy=/sys/fs/cgroup/pids
group=$hierarchy/nodetap-readiness-$$-$RANDOM
mkdir -p "$group/pod$uid"
leave() {
    [ ! -e "$group/pod$uid" ] || echo "$pod" > "$hierarchy/cgroup.procs" 2> errors || true
    rmdir "$group/pod$uid" "$group"
}
trap leave EXIT
echo "$pod" > "$group/pod$uid/cgroup.procs"

serve() { # NAME PORT TARGETS: a nodetap with these targets
    printf 'export:\n  ping_from_pods: true\n  ping_targets: [%s]\n' "$3" > "$1.yaml"
    NODETAP_LOG=error "$nodetap" --state "$directory/$1" --root "$root" --config "$directory/$1.yaml" \
        export --listen "127.0.0.1:$2" > "$1.out" 2>&1 &
}
node=127.0.0.1:9901 guarded=127.0.0.1:9902
serve node 9901 'core_switch=switch@10.1.0.1'
serve guarded 9902 'core_switch=switch@10.1.0.1, peer=neighbour@10.1.0.9'

ready() { curl --silent --output body --write-out '%{http_code}' "http://$1/ready${2-}" || true; }
until_ready() { # CODE ADDRESS [PATH]
    local end=$((SECONDS + 60))
    until [ "$(ready "$2" "${3-}")" = "$1" ]; do
        [ "$SECONDS" -lt "$end" ] || { echo "$2/ready${3-} does not become $1:" >&2; cat body ./*.out >&2; exit 1; }
        sleep 0.1
    done
}
sample() { curl --silent "http://$1/metrics?collect[]=readiness" --globoff | grep "^$2{" | grep "$3" | sed 's/.* //'; }
until_sample() { # ADDRESS NAME LABEL CONDITION-OF-AWK
    local end=$((SECONDS + 60))
    until sample "$1" "$2" "$3" | awk "{ exit !(\$1 $4) }"; do
        [ "$SECONDS" -lt "$end" ] || { echo "$2 $3 is never $4" >&2; curl --silent "http://$1/metrics" >&2; exit 1; }
        sleep 0.2
    done
}
show() {
    echo "## $1"
    local path
    for path in '' /shop/web-1 /shop/none; do
        echo "code$path=$(ready "$node" "$path")"
        sed "s#^#body$path=#" body
    done
    echo "guarded=$(ready "$guarded")"
    sed 's/^/why=/' body
    curl --silent "http://$node/metrics" | grep '^ping_\|^readiness_\|^pod_' || true
    curl --silent "http://$guarded/metrics" | grep '^readiness_guard_active' | sed 's/^/guard=/'
}

until_ready 200 "$node"
until_ready 200 "$node" /shop/web-1
until_ready 200 "$guarded"
show well

# Slow, as a switch far away: by the kernel's queue, or where it has none of that kind by a gateway that takes its time.
if tc qdisc add dev up0 root netem delay 30ms 2> errors; then
    until_sample "$node" ping_rtt_worst_seconds 'target="switch"' '>= 0.03'
    show slow
    tc qdisc del dev up0 root
else
    in_gateway sh -c 'echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all'
    nsenter --target "$gateway" --net python3 - 2> slow.log <<'PYTHON' &
import socket, struct, time
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
while True:
    packet, sender = raw.recvfrom(2048)
    echo = packet[(packet[0] & 15) * 4:]
    if echo[0] != 8: continue
    time.sleep(0.03)
    answer = b"\0\0\0\0" + echo[4:]
    total = sum(struct.unpack(">%dH" % (len(answer) // 2), answer))
    while total >> 16: total = (total >> 16) + (total & 0xFFFF)
    raw.sendto(answer[:2] + struct.pack(">H", ~total & 0xFFFF) + answer[4:], sender)
PYTHON
    until_sample "$node" ping_rtt_worst_seconds 'target="switch"' '>= 0.03'
    show slow
    in_gateway sh -c 'echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all'
    # It may answer beside the kernel for the last time.
    kill $!
fi

# Every other answer is lost.
in_gateway nft -f - <<'NFT'
table ip lossy {
    chain out { type filter hook output priority 0; icmp type echo-reply numgen inc mod 2 == 0 drop; }
}
NFT
until_sample "$node" ping_loss_ratio 'target="switch"' '> 0.1'
show lossy
in_gateway nft delete table ip lossy

# Requests arrive, answers don't: one direction is dead.
nft -f - <<'NFT'
table ip oneway {
    chain in { type filter hook prerouting priority -300; ip saddr 10.1.0.1 icmp type echo-reply drop; }
}
NFT
in_gateway nft -f - <<'NFT'
table ip arrived {
    counter asked { }
    chain in { type filter hook input priority 0; icmp type echo-request counter name asked; }
}
NFT
until_ready 503 "$node"
until_ready 503 "$node" /shop/web-1
until_sample "$guarded" readiness_check_ready 'check="core_switch"' '== 0'
show oneway
echo "asked=$(in_gateway nft list counter ip arrived asked | grep -o 'packets [0-9]*')"
nft delete table ip oneway
until_ready 200 "$node"
until_ready 200 "$node" /shop/web-1
show back

# The node's own way is well, the pod's is not.
nft -f - <<'NFT'
table ip blocked {
    chain through { type filter hook forward priority 0; ip saddr 10.2.0.2 drop; }
}
NFT
until_ready 503 "$node" /shop/web-1
show policy
nft delete table ip blocked
until_ready 200 "$node" /shop/web-1

# The gateway is gone, and its neighbour with it.
in_gateway ip link set down0 down
until_ready 503 "$node"
until_ready 503 "$node" /shop/web-1
until_ready 503 "$guarded"
show gone
in_gateway ip link set down0 up
in_gateway ip route add 10.2.0.0/24 via 10.1.0.2
until_ready 200 "$node"
until_ready 200 "$guarded"
kill "$pod"
until_ready 404 "$node" /shop/web-1
show end
