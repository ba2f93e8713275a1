#!/bin/bash
# Boots a kernel that has IPVS and runs a command in it as root:  guest.sh SECONDS DIR COMMAND [ARGUMENT...]
#
# The kernel is Debian's User Mode Linux: no virtual machine, no modules in the host, no network, no disk image. The
# guest sees this machine's files; what it writes goes to an overlay and is lost, but for DIR, which both see at the
# same place. The command's output goes to DIR/out and DIR/errors. Exits as the command does, with 124 after SECONDS,
# and with 125 if the guest could not be run.
set -uo pipefail
seconds=$1 directory=$(readlink -f "$2")
shift 2
fail() { echo "guest: $*" >&2; exit 125; }
kernel=$(command -v linux.uml) || fail "no linux.uml (Debian: user-mode-linux)"
modules=$(ls -d /usr/lib/uml/modules/* | tail -n 1) || fail "no modules of User Mode Linux"

# A CPU with AMX has more state than this kernel can write back.
grep -qw amx_tile /proc/cpuinfo && fail "User Mode Linux 6.1 does not run on CPUs with AMX"

printf '%q ' "$@" > "$directory/command"
export -p > "$directory/environment"
: > "$directory/out"
: > "$directory/errors"
cat > "$directory/init" <<INIT
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
directory=$directory modules=$modules
INIT
cat >> "$directory/init" <<'INIT'
end() { sync; echo o > /proc/sysrq-trigger; sleep 5; }
must() { "$@" || { echo "guest: failed: $*"; end; }; }
new=/mnt/new
mountpoint -q /proc || must mount -t proc proc /proc
must insmod "$modules/kernel/fs/overlayfs/overlay.ko"
must mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/upper /mnt/work $new
must mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $new
must mount -t proc proc $new/proc
must mount -t sysfs sysfs $new/sys
must mount -t devtmpfs devtmpfs $new/dev
must mount -t tmpfs -o mode=1777 tmpfs $new/tmp
must mount -t tmpfs tmpfs $new/run
mkdir -p $new/run/netns $new/dev/shm "$new$directory"
ln -sfn /proc/self/fd $new/dev/fd
must mount -t hostfs -o "$directory" none "$new$directory"
mkdir -p $new/lib/modules && ln -sfn "$modules" "$new/lib/modules/$(uname -r)"
cd $new && mkdir -p mnt && must pivot_root . mnt
cd /
modprobe -a ipv6 dummy veth bridge ipip nf_conntrack nf_conntrack_netlink iptable_nat iptable_mangle ip6table_mangle \
    xt_mark xt_MARK ip_vs ip_vs_rr ip_vs_wrr ip_vs_wlc ip_vs_sh
ip link set lo up
. "$directory/environment"
(eval "$(cat "$directory/command")") < /dev/null >> "$directory/out" 2>> "$directory/errors"
echo $? > "$directory/status"
end
INIT
chmod +x "$directory/init"

# The guest's memory is a file; it must not be larger than what there is room for.
memory=512M room=/dev/shm
[ "$(df --output=avail --block-size=1 /dev/shm | tail -n 1)" -gt "$(numfmt --from=iec $memory)" ] || room=$directory
# In a process namespace of its own, so that nothing of the guest is left whatever happens.
timeout --kill-after=5 "$seconds" unshare --pid --fork --kill-child --mount-proc \
    env -i PATH="$PATH" HOME="$directory" TMPDIR="$room" "$kernel" mem=$memory uml_dir="$directory/" umid=guest \
    root=/dev/root rootfstype=hostfs rootflags=/ ro init="$directory/init" \
    con=null con0=null,fd:1 ssl=null panic=-1 quiet < /dev/null > "$directory/console" 2>&1
ended=$?
[ -s "$directory/status" ] && exit "$(cat "$directory/status")"
cat "$directory/console" "$directory/errors" >&2
[ $ended = 124 ] && exit 124
exit 125
