#!/bin/bash
# A pair of BIRD in two network namespaces:  unshare --net room.sh NODETAP DIR BIRD
# Prints for each situation what birdc and nodetap say of the first one.
set -euo pipefail
nodetap=$1 directory=$2 bird=$3
export LD_LIBRARY_PATH=$bird/usr/lib/x86_64-linux-gnu
bird_program=$bird/usr/sbin/bird birdc=$bird/usr/sbin/birdc
root=$directory/root socket=$directory/root/run/calico/bird.ctl
mkdir -p "$root/run/calico" "$root/proc/1/ns" "$root/proc/77"
ln -s "$(readlink /proc/self/ns/net)" "$root/proc/1/ns/net"
cd "$directory"

unshare --net sleep infinity &
other=$!
children=("$other")
trap 'kill "${children[@]}" 2> errors || true' EXIT
until [ "$(readlink "/proc/$other/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
there() { nsenter --target "$other" --net "$@"; }

ip link set lo up
ip link add left type veth peer name right netns "$other"
ip address add 10.1.0.1/24 dev left
ip address add fd01::1/64 dev left nodad
ip link set left up
there ip link set lo up
there ip address add 10.1.0.2/24 dev right
there ip address add fd01::2/64 dev right nodad
there ip link set right up

configuration() { # ID OWN-AS OTHER-AS OWN-END OTHER-END FOUR SIX
    cat <<CONF
router id $1;
protocol device {}
protocol static four { ipv4; $6 }
protocol static six { ipv6; $7 }
filter few { if net ~ 10.9.0.0/16 then reject; accept; }
template bgp quick { local as $2; connect retry time 1; connect delay time 1; error wait time 1, 2; }
protocol bgp mesh from quick {
    neighbor 10.1.0.$5 as $3; source address 10.1.0.$4;
    ipv4 { import keep filtered; import filter few; export all; };
}
protocol bgp mesh6 from quick {
    neighbor fd01::$5 as $3; source address fd01::$4;
    ipv6 { import all; export all; };
}
protocol bgp unused from quick { disabled; neighbor 10.1.0.99 as 64999; ipv4 { import all; export all; }; }
CONF
}
configuration 1.1.1.1 64512 64513 1 2 'route 10.10.1.0/24 blackhole;' 'route fd10::/64 blackhole;' > one.conf
configuration 2.2.2.2 64513 64512 2 1 \
    'route 10.20.1.0/24 blackhole; route 10.20.2.0/24 blackhole; route 10.9.1.0/24 blackhole;' \
    'route fd20::/64 blackhole;' > two.conf

show() {
    echo "## $1"
    "$birdc" -s "$socket" show protocols all | awk '
        /^[^ ]/ { name = $1; state = $4 }
        /Channel/ { version = substr($2, 4) }
        /Routes:/ { gsub(",", ""); print "routes=" name, version, state, $0 }'
    "$nodetap" --state "$directory/state" --root "$root" metrics calico | grep -v '^#'
}
sessions() { "$birdc" -s "$socket" show protocols | grep -c Established || true; }
# All routes are announced a moment after the session is up.
until_routes() {
    until_sessions 2
    until "$birdc" -s "$socket" show protocols all mesh | grep -q '2 imported, 1 filtered, 1 exported'; do sleep 0.1; done
    until "$birdc" -s "$socket" show protocols all mesh6 | grep -q '1 imported, 1 exported'; do sleep 0.1; done
}
until_sessions() { until [ "$(sessions)" = "$1" ]; do sleep 0.1; done; }

"$bird_program" -f -c one.conf -s "$socket" > one.log 2>&1 &
children+=($!)
nsenter --target "$other" --net "$bird_program" -f -c two.conf -s two.ctl > two.log 2>&1 &
peer=$!
children+=("$peer")
until [ -S "$socket" ]; do sleep 0.05; done
until_routes
show up

# The peer dies without a word; its kernel closes the connections.
kill -KILL "$peer"
until_sessions 0
show killed

nsenter --target "$other" --net "$bird_program" -f -c two.conf -s three.ctl > three.log 2>&1 &
children+=($!)
until_routes
show back

# A Felix that is live and not ready, with metrics of its own and of Go.
echo calico-node > "$root/proc/77/comm"
: > felix
python3 - <<'PYTHON' > felix 2> felix.log &
import http.server, threading
TEXT = b"""# HELP felix_resync_state Current datastore state.
# TYPE felix_resync_state gauge
felix_resync_state 2
# TYPE felix_int_dataplane_failures counter
felix_int_dataplane_failures 7
# TYPE go_goroutines gauge
go_goroutines 99
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 5
"""
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def do_GET(self):
        known = {(9099, "/liveness"): (204, b""), (9091, "/metrics"): (200, TEXT)}
        status, body = known.get((self.server.server_port, self.path), (503, b""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
servers = [http.server.HTTPServer(("127.0.0.1", port), Answer) for port in (9091, 9099)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
PYTHON
children+=($!)
until grep -q ready felix; do sleep 0.05; done
show felix
