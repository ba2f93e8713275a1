#!/bin/bash
# A node of its own on this machine:  node.sh kubelet | docker DIRECTORY
#
# Runs containerd and a standalone kubelet, or dockerd, in new mount, process, network, host name and IPC namespaces on
# an overlay of the machine's root, so that nothing they write reaches the machine. The node lives as long as standard
# input is open: whichever way the test ends, the pipe ends with it, the first process ends, and the kernel ends the
# rest. DIRECTORY gets `pid` (the first process, as the machine numbers it; /proc/PID/root is the node's root), `ready`
# when the daemon answers, `logs/`, and, bound into the node, `var-log/`, `kubelet/`, `docker/` and `manifests/`.
#
# Environment: PACKAGES, IMAGE (directories that prepare.sh printed), KUBELET (likewise, for a kubelet), ROOT_DIRECTORY
# (of kubelet or dockerd). With CONTROL_PLANE (likewise) the kubelet gets an API server, else it stands alone.
set -euo pipefail
source "$(dirname "$0")/control-plane.sh"
role=$1 directory=$2
cgroup=nodetap-real-$$

if [ "${3-}" != inside ]; then
    mkdir -p "$directory"/{logs,var-log/pods,var-log/containers,kubelet,containerd,docker,manifests,root,overlay}
    status=0
    CGROUP=$cgroup unshare --mount --pid --uts --ipc --net --fork --kill-child=KILL --propagation private \
        -- "$0" "$role" "$directory" inside || status=$?
    # Cgroups outlive their processes by a moment.
    for _ in $(seq 50); do
        find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2> /dev/null || true
        [ -z "$(find /sys/fs/cgroup -maxdepth 2 -name "$cgroup" 2> /dev/null)" ] && exit "$status"
        sleep 0.1
    done
    echo "cgroups are left in /sys/fs/cgroup/*/$cgroup" >&2
    exit 1
fi

cgroup=$CGROUP
# The machine's /proc is still mounted and numbers processes the machine's way.
read -r pid _ < /proc/self/stat
echo "$pid" > "$directory/pid"

make_root() {
    local root=$directory/root
    mount -t tmpfs tmpfs "$directory/overlay"
    mkdir "$directory/overlay"/{upper,work}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/overlay/upper,workdir=$directory/overlay/work" "$root"
    mkdir -p "$root"/{node,packages,image,component,control-plane,proc,sys,dev,run,tmp,old,opt/containerd} \
        "$root"/var/{log,lib/containerd} "$root$ROOT_DIRECTORY" "$root"/etc/{docker,kubernetes/manifests}
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    for place in run tmp opt/containerd etc/docker; do mount -t tmpfs tmpfs "$root/$place"; done
    mount --bind "$directory" "$root/node"
    mount --bind "$PACKAGES" "$root/packages"
    mount --bind "$IMAGE" "$root/image"
    mount --bind "${KUBELET:-$IMAGE}" "$root/component"
    mount --bind "${CONTROL_PLANE:-$IMAGE}" "$root/control-plane"
    mount --bind "$directory/var-log" "$root/var/log"
    mount --bind "$directory/containerd" "$root/var/lib/containerd"
    mount --bind "$directory/manifests" "$root/etc/kubernetes/manifests"
    mount --bind "$directory/$role" "$root$ROOT_DIRECTORY"
    cd "$root"
    pivot_root . old
    umount --lazy /old
    # Mounts that the kubelet makes for pods must reach the containers.
    mount --make-rshared /
}

make_network() {
    busybox ip link set lo up
    busybox ip link add eth0 type bridge
    busybox ip addr add 10.88.0.2/24 dev eth0
    busybox ip link set eth0 up
    busybox ip route add default via 10.88.0.1 dev eth0
    hostname node-of-test
    # A host name that does not resolve costs the kubelet ten seconds per pod.
    printf '127.0.0.1 localhost\n10.88.0.2 node-of-test\n' > /etc/hosts
    : > /etc/resolv.conf
}

# The kubelet sets these for the whole machine: it gets copies to write to.
shadow_sysctls() {
    local setting copy
    mkdir -p /run/sysctl
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
        kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
        copy=/run/sysctl/$(echo "${setting%=*}" | tr / _)
        echo "${setting#*=}" > "$copy"
        mount --bind "$copy" "/proc/sys/${setting%=*}"
    done
}

wait_for() {
    for _ in $(seq 600); do
        "$@" > /dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "no answer within a minute: $*" >&2
    return 1
}

start_containerd() {
    # oom_score_adj: a container may not lower its own where the machine lacks CAP_SYS_RESOURCE.
    # The native snapshotter copies, and so needs no overlay on what may be an overlay itself.
    cat > /node/containerd.toml <<-TOML
	version = 2
	root = "/var/lib/containerd"
	state = "/run/containerd"
	[grpc]
	address = "/run/containerd/containerd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	path = "/var/lib/containerd/opt"
	[plugins."io.containerd.grpc.v1.cri"]
	sandbox_image = "localhost/nodetap/writer:1"
	disable_apparmor = true
	restrict_oom_score_adj = true
	max_container_log_line_size = 16384
	[plugins."io.containerd.grpc.v1.cri".containerd]
	snapshotter = "native"
	[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	runtime_type = "io.containerd.runc.v2"
	[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
	BinaryName = "/packages/usr/sbin/runc"
	TOML
    containerd --config /node/containerd.toml > /node/logs/containerd.log 2>&1 &
    wait_for ctr version
    ctr --namespace k8s.io images import --snapshotter native /image/image.tar > /node/logs/import.log
}

# Small limits, looked at often: many rotations in a short test.
start_kubelet() {
    local parent
    for parent in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs; do
        [ -e "$parent" ] || continue
        parent=$(dirname "$parent")
        # Version 2 has one hierarchy, version 1 one for each controller.
        [ "$parent" != /sys/fs/cgroup ] && [ -e /sys/fs/cgroup/cgroup.procs ] && continue
        mkdir -p "$parent/$cgroup"
    done
    cat > /node/kubelet.yaml <<-YAML
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	staticPodPath: /etc/kubernetes/manifests
	fileCheckFrequency: 1s
	containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
	cgroupDriver: cgroupfs
	cgroupRoot: /$cgroup
	failSwapOn: false
	authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
	authorization: {mode: AlwaysAllow}
	address: 127.0.0.1
	containerLogMaxSize: 1Mi
	containerLogMaxFiles: 5
	containerLogMonitorInterval: 3s
	evictionHard: {memory.available: 10Mi, nodefs.available: "0.1%", imagefs.available: "0.1%", nodefs.inodesFree: "0.1%"}
	imageGCHighThresholdPercent: 100
	resolvConf: ""
	volumePluginDir: /node/flexvolume
	YAML
    /component/kubelet --config=/node/kubelet.yaml ${CONTROL_PLANE:+--kubeconfig=/node/kubelet.conf} \
        --root-dir="$ROOT_DIRECTORY" --hostname-override=node-of-test --node-ip=10.88.0.2 --v=2 > /node/logs/kubelet.log 2>&1 &
    wait_for busybox wget -q -O - http://127.0.0.1:10248/healthz
}

start_docker() {
    dockerd --data-root "$ROOT_DIRECTORY" --exec-root /run/docker --host unix:///run/docker.sock --storage-driver vfs \
        --bridge none --iptables=false --ip6tables=false --cgroup-parent="/$cgroup" > /node/logs/dockerd.log 2>&1 &
    wait_for docker version
    docker load --input /image/image.tar > /node/logs/import.log
}

make_root
export PATH=/packages/usr/bin:/packages/usr/sbin:/packages/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LD_LIBRARY_PATH=/packages/usr/lib/x86_64-linux-gnu:/packages/lib/x86_64-linux-gnu
make_network
case $role in
    kubelet)
        shadow_sysctls
        start_containerd
        [ -z "${CONTROL_PLANE-}" ] || start_control_plane
        start_kubelet
        ;;
    docker) start_docker ;;
esac
echo yes > /node/ready
# The first process ends when the pipe does.
while read -r _; do :; done
