#!/bin/bash
# Runs a search server on this machine:  server.sh elasticsearch | opensearch COMPONENT DIRECTORY
#
# COMPONENT is what prepare.sh printed, DIRECTORY has `config` and gets `pid`, the leader of the server's process group,
# and `server.log`, what it says. The server lives as long as standard input is open: whichever way the test ends, the
# pipe ends with it, the server is killed and DIRECTORY is removed.
set -uo pipefail
engine=$1 component=$2 directory=$3
# Both engines refuse to run as root. In a user namespace of its own, root is somebody else, to whom root's files belong.
as=()
[ "$(id -u)" -ne 0 ] || as=(unshare --user --map-user=1000 --map-group=1000)
java=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
export HOME=$directory/tmp
export ES_PATH_CONF=$directory/config ES_JAVA_HOME=$java ES_TMPDIR=$directory/tmp CLI_JAVA_OPTS=-XX:TieredStopAtLevel=1
export OPENSEARCH_PATH_CONF=$directory/config OPENSEARCH_JAVA_HOME=$java OPENSEARCH_TMPDIR=$directory/tmp
exec 3<&0
cd "$directory/tmp" || exit 1
setsid "${as[@]}" "$component/home/bin/$engine" < /dev/null 3<&- >> "$directory/server.log" 2>&1 &
server=$!
echo "$server" > "$directory/pid.new"
mv "$directory/pid.new" "$directory/pid"
{
    while read -r _; do :; done
    touch "$directory/over"
    kill -KILL -- "-$server" 2> /dev/null
} <&3 &
guard=$!
wait "$server" 2> /dev/null
status=$?
kill "$guard" 2> /dev/null
[ ! -e "$directory/over" ] || [ -n "${NODETAP_KEEP-}" ] || rm -rf "$directory"
exit "$status"
