#!/bin/bash
# A JVM that does nothing but full collections, in the cgroup of a pod:  jvm.sh POD_UID
# It has a /tmp of its own, as a container does.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cgroup=/sys/fs/cgroup
[ ! -d "$cgroup/pids" ] || cgroup=$cgroup/pids
cgroup=$cgroup/$CGROUP/pod$1/app
mkdir -p "$cgroup"
echo $BASHPID > "$cgroup/cgroup.procs"
exec unshare --mount bash -c '
    mount -t tmpfs tmpfs /tmp
    exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m "$1"' bash "$here/FullGc.java"
