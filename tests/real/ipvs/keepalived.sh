#!/bin/bash
# Inside the guest: keepalived.sh NODETAP DIR. A keepalived whose checks are scripts, and what nodetap says of it while
# they fail and while the kernel's table is changed behind its back.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
nodetap=$1 directory=$2
. "$here/topology.sh"
show() {
    echo "## $1"
    ipvsadm -Ln
    "$nodetap" --state /tmp/state "${@:2}" metrics keepalived | grep -v '^#' || true
}
# Waits until the kernel's table, a line for each real server with its weight, is as said.
until_table() {
    local found
    for _ in $(seq 600); do
        found=$(ipvsadm -Ln | awk '$1 == "->" && $2 ~ /:80$/ {print $2 "=" $4}' | sort | paste -s -d ' ')
        [ "$found" != "$1" ] || return 0
        sleep 0.1
    done
    echo "the table is $found, not $1" >&2
    cat /var/log/keepalived.log >&2
    exit 1
}
said() { for _ in $(seq 600); do ! grep -q "$1" /var/log/keepalived.log || return 0; sleep 0.1; done; exit 1; }

show none
mkdir -p /etc/lab /run/lab /var/log
cat > /etc/lab/check <<'CHECK'
#!/bin/sh
# Ends as the file with its argument's name says.
code=0
[ ! -e "/run/lab/$1" ] || read -r code < "/run/lab/$1"
exit "$code"
CHECK
chmod 755 /etc/lab /etc/lab/check
keepalived --dont-fork --log-console --log-detail --use-file "$here/keepalived.conf" --pid /run/keepalived.pid \
    > /var/log/keepalived.log 2>&1 &
for number in 1 2 3; do said "Misc check for \[\[10.1.0.1$number\].* succeeded"; done
said 'Entering MASTER STATE'
show well

echo 1 > /run/lab/first
echo 1 > /run/lab/second
echo 42 > /run/lab/third
until_table '10.1.0.12:80=0 10.1.0.13:80=40'
show failing
# Without a log, by the notify FIFO alone, which holds all that happened until somebody reads it.
printf 'export:\n  keepalived_log: /none\n  keepalived_fifo: /run/keepalived.fifo\n' > /tmp/fifo.yaml
show notified --config /tmp/fifo.yaml

ipvsadm -d -t 10.99.0.1:80 -r 10.1.0.13:80
ipvsadm -a -t 10.99.0.1:80 -r 10.1.0.11:80 -m -w 3
show meddled

# Allowed to, nodetap makes keepalived write its dumps, and reads them the next time.
printf 'export:\n  keepalived_dump: true\n' > /tmp/dump.yaml
show signalled --config /tmp/dump.yaml
for _ in $(seq 600); do ! grep -qs 'PING_CHECK\|Last status' /tmp/keepalived_check.data || break; sleep 0.1; done
# The file is written in pieces.
size=
until now=$(stat -c %s /tmp/keepalived_check.data) && [ "$now" = "$size" ]; do size=$now; sleep 0.5; done
show dumped --config /tmp/dump.yaml

rm /run/lab/*
said 'Adding service \[10.1.0.11\]'
kill "$(cat /run/keepalived.pid)"
for _ in $(seq 600); do [ -e /run/keepalived.pid ] || break; sleep 0.1; done
show ended
