#!/bin/bash
# Inside the guest: director.sh NODETAP DIR. Virtual servers of every kind, traffic, and what ipvsadm and nodetap say.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
nodetap=$1 directory=$2
. "$here/topology.sh"
metrics() { "$@" metrics lvs | grep -v '^#' || true; }
list() {
    echo "## $1"
    ipvsadm -Ln --stats --exact
    echo "# weights"
    ipvsadm -Ln
    echo "# metrics"
}
echo "## empty"
metrics "$nodetap" --state /tmp/state

ipvsadm --restore <<'RULES'
-A -t 10.99.0.1:80 -s wrr
-a -t 10.99.0.1:80 -r 10.1.0.11:80 -m -w 3
-a -t 10.99.0.1:80 -r 10.1.0.12:80 -m -w 1
-a -t 10.99.0.1:80 -r 10.1.0.13:80 -m -w 0
-A -t 10.99.0.1:443 -s wrr -p 300
-a -t 10.99.0.1:443 -r 10.1.0.11:443 -g -w 2 -x 1000 -y 500
-a -t 10.99.0.1:443 -r 10.1.0.12:443 -i -w 1
-A -t 10.99.0.1:8443 -s sh -b sh-port
-a -t 10.99.0.1:8443 -r 10.1.0.12:8443 -i -w 1
-A -t [fd00:99::1]:80 -s rr
-a -t [fd00:99::1]:80 -r [fd00:1::11]:80 -m
-a -t [fd00:99::1]:80 -r [fd00:1::12]:80 -m
-A -u 10.99.0.1:53 -s rr -o
-a -u 10.99.0.1:53 -r 10.1.0.11:53 -m
-a -u 10.99.0.1:53 -r 10.1.0.12:53 -m
-A -f 7 -s wlc
-a -f 7 -r 10.1.0.11:0 -m
-A -f 7 -6 -s rr
-a -f 7 -6 -r [fd00:1::12]:0 -m
-A -t 10.99.0.1:81 -s rr
RULES
ipvsadm --start-daemon master --mcast-interface client --syncid 9
ip netns exec client python3 "$here/traffic.py"

# Nothing may move between two looks: connections still close.
before=
until now=$(ipvsadm -Ln --stats --exact) && [ "$now" = "$before" ]; do before=$now; sleep 2; done
list served
metrics "$nodetap" --state /tmp/state --config "$directory/nodetap.yaml"

# Without rights there is the file, and no counters.
echo "## unprivileged"
metrics setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all "$nodetap" --state /tmp/nobody

# Taken away is gone at the next scrape.
ipvsadm -D -t 10.99.0.1:80
ipvsadm -d -t '[fd00:99::1]:80' -r '[fd00:1::11]:80'
list "taken away"
metrics "$nodetap" --state /tmp/state
