#!/bin/bash
# What happens to connection tracking, in a network namespace of its own:  unshare --net room.sh NODETAP DIR
# Prints for each situation what conntrack-tools, the rules' own counters and nodetap say of it.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
nodetap=$1 directory=$2
ip link set lo up

metrics() { "$nodetap" --state "$directory/state" --root "$1" metrics | grep -v '^#'; }
show() {
    echo "## $1"
    conntrack -S 2> "$directory/errors"
    echo "count=$(conntrack -C)"
    metrics /
}
flows() { # PORT COUNT: so many flows of one datagram each
    python3 -c '
import socket, sys
for _ in range(int(sys.argv[2])):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(sys.argv[1])))' "$1" "$2"
}

# A rule that asks for a connection's state makes the kernel track.
iptables -A INPUT -m conntrack --ctstate INVALID -j DROP
# Nobody listens: without this the ICMP answers would be RELATED.
iptables -A INPUT -p udp -j DROP
# Nothing may expire between two looks.
sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 net.netfilter.nf_conntrack_icmp_timeout=3600
show fresh

flows 9999 20
show tracked

# The two ways to write it, each with a counter.
iptables -t raw -A OUTPUT -p udp --dport 9998 -m comment --comment 'from the director' -j CT --notrack
nft -f - <<'NFT'
table inet early {
    chain out {
        type filter hook output priority raw; policy accept;
        udp dport 9997 counter notrack comment "without tracking"
    }
}
NFT
flows 9998 30
flows 9997 40
show bypassed
iptables-save -c -t raw | grep notrack | sed 's/^/rule=/'
nft list table inet early | grep notrack | sed 's/^ */rule=/'

# Two packets of one new flow, held before the first is confirmed: the second clashes with it. The kernel makes one of
# two UDP entries; of two echo requests it drops the second.
clash() { # RULE: what is held; the packets' sender stands on standard input
    iptables -t mangle -A POSTROUTING $1 -j NFQUEUE --queue-num 1
    : > "$directory/hold"
    python3 "$here/hold.py" 2 1 > "$directory/hold" &
    local hold=$!
    until grep -q ready "$directory/hold"; do sleep 0.05; done
    python3 -
    wait $hold
    iptables -t mangle -F
}
clash '-p udp --dport 9996' <<'PYTHON'
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(2):
    sender.sendto(b"x", ("127.0.0.1", 9996))
PYTHON
clash '-p icmp --icmp-type echo-request' <<'PYTHON'
import socket, struct
sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
for number in range(2):
    words = (0x0800, 7, number)
    total = sum(words)
    sender.sendto(struct.pack(">HHHH", words[0], ~total & 0xFFFF, *words[1:]), ("127.0.0.1", 0))
PYTHON
show clashed

# From another namespace: this one's own table, by a process that lives in it.
echo "## outside"
echo "netns=$(readlink /proc/self/ns/net | tr -dc 0-9)"
echo "count=$(conntrack -C)"
nsenter --target "$PPID" --net "$nodetap" --state "$directory/state" metrics conntrack_netns_entries | grep -v '^#'

# As if the kernel had no file of statistics: only netlink is left.
mkdir -p "$directory/root/proc/1/ns" "$directory/root/proc/sys/net/netfilter"
ln -s "$(readlink /proc/self/ns/net)" "$directory/root/proc/1/ns/net"
cp /proc/sys/net/netfilter/nf_conntrack_{count,max} "$directory/root/proc/sys/net/netfilter/"
echo "## netlink"
conntrack -S
metrics "$directory/root"

# Whose entries they are: a second namespace as a pod's, below a root that names it so.
echo "## talkers"
held=
unshare --net sleep 600 &
pod=$!
trap 'kill $pod $held' EXIT
until [ "$(readlink /proc/$pod/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add room type veth peer name eth0 netns $pod
ip addr add 10.244.9.1/24 dev room
ip link set room up
nsenter --target $pod --net sh -c 'ip link set lo up && ip addr add 10.244.9.2/24 dev eth0 && ip link set eth0 up'
uid=0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11
mkdir -p "$directory/root/var/log/pods/shop_web-1_$uid" "$directory/root/proc/77"
echo "0::/kubepods/pod$uid/1" > "$directory/root/proc/77/cgroup"
ln -s /proc/$pod/ns "$directory/root/proc/77/ns"
ln -s /proc/$pod/net "$directory/root/proc/77/net"
ln -s /proc/self/net "$directory/root/proc/1/net"
conntrack -F 2> "$directory/errors"
iptables -I INPUT -p tcp -j ACCEPT
python3 - $pod > "$directory/held" <<'PYTHON' &
import ctypes, os, signal, socket, sys
def enter(namespace):
    assert ctypes.CDLL(None).setns(namespace, 0) == 0
server = socket.create_server(("10.244.9.1", 7070))
held = []
room = os.open("/proc/self/ns/net", os.O_RDONLY)
enter(os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY))
for _ in range(5):
    held.append(socket.create_connection(("10.244.9.1", 7070), 10))
    held.append(server.accept())
enter(room)
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(7000, 7003):
    datagram.sendto(b"x", ("10.244.9.2", port))
    held.append(datagram)
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
signal.pause()
PYTHON
held=$!
until grep -q ready "$directory/held"; do kill -0 $held; sleep 0.05; done
printf 'export:\n  conntrack_top: true\n  conntrack_bypass: [10.244.9.0/24, 192.0.2.0/24]\n' > "$directory/top.yaml"
talkers() { "$nodetap" --state "$directory/state" --config "$directory/top.yaml" --root "$1" metrics talkers | grep -v '^#'; }
list() { conntrack -L "$@" 2> "$directory/errors" | wc -l; }
talkers "$directory/root"
echo "src=$(list --orig-src 10.244.9.2)"
echo "dst=$(list --reply-src 10.244.9.2)"
echo "unreplied=$(conntrack -L -p udp 2> "$directory/errors" | grep -c UNREPLIED)"
conntrack -L -p tcp 2> "$directory/errors" | awk '{print "tcp=" tolower($4)}' | sort | uniq
echo "## listed"
rm "$directory/root/proc/1/ns/net"
ln -s 'net:[1]' "$directory/root/proc/1/ns/net"
talkers "$directory/root"
iptables -D INPUT -p tcp -j ACCEPT

# As full as it gets: entries that nobody answered are evicted.
maximum=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
python3 - "$((maximum + 5000))" <<'PYTHON'
import itertools, socket, sys
targets = (("127.%d.%d.%d" % (a, b, c), port) for port in range(1000, 1100) for a in range(1, 4) for b in range(250) for c in range(1, 250))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for target in itertools.islice(targets, int(sys.argv[1])):
    try: sender.sendto(b"f", target)
    except PermissionError: pass
PYTHON
show full
talkers /
conntrack -F 2> "$directory/errors"
