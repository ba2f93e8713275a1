#!/bin/bash
# A container's cgroup with a tenth of a CPU and 32 MiB, and a program in it that wants more:  room.sh NODETAP DIR
# Prints what the kernel's files and nodetap say. Runs with either version of cgroups, as the machine has them.
set -euo pipefail
nodetap=$1 directory=$2
uid=5a9d3c1e-7f64-4b1b-8f0e-2d6c9a4b7e10
id=$(printf '%064x' 4711)
path=nodetap-cgroup-$$-$RANDOM/pod$uid/$id
root=$directory/root
mkdir -p "$root/var/log/pods/shop_edge-1_$uid" "$root/var/log/containers"
ln -s /proc "$root/proc"
ln -s /sys "$root/sys"
: > "$root/var/log/containers/edge-1_shop_proxy-$id.log"

top=/sys/fs/cgroup
if [ -e "$top/cgroup.controllers" ]; then
    version=2 cpu=$top/$path account=$top/$path memory=$top/$path
    groups=("$top/$path")
else
    version=1 cpu=$top/cpu/$path account=$top/cpuacct/$path memory=$top/memory/$path
    groups=("$cpu" "$account" "$memory")
fi
children=()
leave() {
    kill -KILL "${children[@]}" 2> "$directory/errors" || true
    wait
    local group
    for group in "${groups[@]}"; do
        until rmdir "$group" "${group%/*}" "${group%/*/*}" 2> "$directory/errors" || [ ! -e "${group%/*/*}" ]; do sleep 0.05; done
    done
}
trap leave EXIT
for group in "${groups[@]}"; do mkdir -p "$group"; done
if [ $version = 2 ]; then
    for group in "$top" "${groups[0]%/*/*}" "${groups[0]%/*}"; do echo "+cpu +memory" > "$group/cgroup.subtree_control"; done
    echo "10000 100000" > "$cpu/cpu.max"
    echo $((32 << 20)) > "$memory/memory.max"
else
    echo 100000 > "$cpu/cpu.cfs_period_us"
    echo 10000 > "$cpu/cpu.cfs_quota_us"
    echo $((32 << 20)) > "$memory/memory.limit_in_bytes"
fi

# A shell by the name of a proxy: one that only counts, one that never has enough.
cp /bin/bash "$directory/nginx"
start() {
    (
        for group in "${groups[@]}"; do echo "$BASHPID" > "$group/cgroup.procs"; done
        exec "$directory/nginx" -c "$1"
    ) &
    children+=($!)
}
start 'while :; do :; done'
start 'text=0123456789abcdef; while :; do text=$text$text; done'
wait "${children[1]}" 2> "$directory/errors" || true
unset 'children[1]'

field() { sed -n "s/^$2 //p" "$1"; }
throttled() { field "$cpu/cpu.stat" nr_throttled; }
until [ "$(throttled)" -ge 3 ]; do sleep 0.05; done
used() { # nanoseconds
    if [ $version = 2 ]; then echo "$(field "$account/cpu.stat" usage_usec)000"; else cat "$account/cpuacct.usage"; fi
}
kills() {
    if [ $version = 2 ]; then field "$memory/memory.events" oom_kill; else field "$memory/memory.oom_control" oom_kill; fi
}
echo "## busy"
echo "used=$(used)"
echo "throttled=$(throttled)"
echo "kills=$(kills)"
"$nodetap" --state "$directory/state" --root "$root" metrics cgroup | grep -v '^#'
echo "throttled=$(throttled)"
echo "used=$(used)"
