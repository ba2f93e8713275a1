#!/bin/bash
# Makes a component of the real tests and prints where it is:  prepare.sh [COMPONENT]
# Components: kubelet, control-plane, packages, bird, node-exporter, image, duckdb, elasticsearch, opensearch, jvm, prometheus-types. Without a name it makes all.
#
# Everything comes from public package registries (Go modules, Debian packages, PyPI, Maven) and is kept in the user's
# cache under a name made of what it was made from, so a second run, or CI with a saved cache, makes nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nodetap/real
mkdir -p "$cache"

key() { sha256sum "$@" | sha256sum | cut -c 1-16; }

# Calls `make_$1 DIR` unless the cache has $2; one maker at a time, and only a whole result gets its name.
cached() {
    local what=$1 kept=$cache/$1-$2 partial
    exec 9> "$cache/$what.lock"
    flock 9
    if [ ! -e "$kept" ]; then
        partial=$(mktemp -d "$cache/.$what.XXXXXX")
        trap 'rm -rf "$partial"' EXIT
        "make_${what//-/_}" "$partial" >&2
        mv -T "$partial" "$kept"
        trap - EXIT
    fi
    echo "$kept"
}

# Builds the program of a folder whose go.mod names the Kubernetes version:  build_kubernetes FOLDER OUT
build_kubernetes() {
    local version package=k8s.io/component-base/version
    cd "$1"
    version=$(sed -n 's#^\tk8s.io/kubernetes \(v[0-9.]*\)$#\1#p' go.mod)
    CGO_ENABLED=0 go build -trimpath -o "$2" -ldflags "-s -w -X $package.gitVersion=$version
        -X $package.gitMajor=1 -X $package.gitMinor=$(echo "$version" | cut -d . -f 2) -X $package.gitTreeState=clean" .
}

make_kubelet() { build_kubernetes "$here/kubelet/kubelet" "$1/kubelet"; }

make_control_plane() {
    local name
    build_kubernetes "$here/control-plane" "$1/control-plane"
    for name in kube-apiserver kube-controller-manager kube-scheduler kubectl; do ln -s control-plane "$1/$name"; done
    cd "$1"
    apt-get -q download etcd-server || { apt-get -q update && apt-get -q download etcd-server; }
    dpkg --fsys-tarfile etcd-server_*.deb | tar -x --strip-components=3 ./usr/bin/etcd
    rm -- *.deb
}

# The packages are unpacked, never installed: no maintainer script runs and nothing of the machine changes.
packages=(busybox-static containerd runc docker.io libdevmapper1.02.1 libseccomp2)
unpack() { # DIR PACKAGE...
    cd "$1"
    shift
    apt-get -q download "$@" || { apt-get -q update && apt-get -q download "$@"; }
    for package in *.deb; do dpkg -x "$package" .; done
    rm -- *.deb
}
make_packages() { unpack "$1" "${packages[@]}"; }
make_bird() { unpack "$1" bird2 libssh-gcrypt-4; }
make_node_exporter() { unpack "$1" prometheus-node-exporter; }
debian() { . /etc/os-release && echo "$ID$VERSION_ID"; }

# One image, one layer, one static program; the layout is what both `ctr images import` and `docker load` read.
make_image() {
    local name=$image_name layer config manifest
    mkdir -p "$1/layer/bin" "$1/layer/tmp" "$1/layer/etc" "$1/image/blobs/sha256"
    (cd "$here/writer" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$1/layer/bin/writer" .)
    cd "$1"
    tar --create --file layer.tar --directory layer --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
    blob() { local sum; sum=$(sha256sum "$1" | cut -c 1-64); cp "$1" "image/blobs/sha256/$sum"; echo "$sum"; }
    layer=$(blob layer.tar)
    cat > config.json <<-JSON
	{"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
	 "config": {"Entrypoint": ["/bin/writer"], "Env": ["PATH=/bin"], "WorkingDir": "/"},
	 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}, "history": [{"created_by": "writer"}]}
	JSON
    config=$(blob config.json)
    cat > manifest.json <<-JSON
	{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
	 "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:$config", "size": $(stat -c %s config.json)},
	 "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:$layer", "size": $(stat -c %s layer.tar)}]}
	JSON
    manifest=$(blob manifest.json)
    echo '{"imageLayoutVersion": "1.0.0"}' > image/oci-layout
    cat > image/index.json <<-JSON
	{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
	 "digest": "sha256:$manifest", "size": $(stat -c %s manifest.json),
	 "annotations": {"io.containerd.image.name": "$name", "org.opencontainers.image.ref.name": "${name##*:}"}}]}
	JSON
    cat > image/manifest.json <<-JSON
	[{"Config": "blobs/sha256/$config", "RepoTags": ["$name"], "Layers": ["blobs/sha256/$layer"]}]
	JSON
    tar --create --file image.tar --directory image --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
    rm -r layer layer.tar image ./*.json
}
image_name=localhost/nodetap/writer:1

duckdb_version=1.4.2
make_duckdb() {
    # A virtual environment knows its own path, so it is made under its last name and reached by a script.
    local environment=$kept.environment
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "duckdb==$duckdb_version"
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$environment/bin/python" > "$1/python"
    chmod +x "$1/python"
}

# Both search servers are unpacked by Maven from its ordinary repository; `home` is what they call so.
unpack_server() {
    mvn --batch-mode --quiet --file "$here/$1/pom.xml" -Dtarget="$2" generate-resources
    mv "$2/$1"-* "$2/home"
    rm -r "$2/markers"
    chmod +x "$2"/home/bin/*
}

make_elasticsearch() {
    local source=$here/elasticsearch/stand-in plugin=$1/home/plugins/stand-in version
    unpack_server elasticsearch "$1"
    version=$(sed -n 's#.*<elasticsearch.version>\(.*\)</elasticsearch.version>#\1#p' "$here/elasticsearch/pom.xml")
    mkdir "$plugin" "$1/classes"
    javac -proc:none -Xlint:-deprecation -cp "$1/home/lib/*" -d "$1/classes" "$source/StandIn.java"
    jar --create --file "$plugin/stand-in.jar" -C "$1/classes" .
    rm -r "$1/classes"
    sed "s/@VERSION@/$version/" "$source/plugin-descriptor.properties" > "$plugin/plugin-descriptor.properties"
}

make_opensearch() { unpack_server opensearch "$1"; }

make_prometheus_types() { (cd "$here/prometheus-types" && CGO_ENABLED=0 go build -trimpath -o "$1/prometheus-types" .); }

# A web application and its libraries, the public JMX exporter, and our own agent.
agent=$here/../../exporter/jvm-agent
make_jvm() {
    mvn --batch-mode --quiet --file "$here/jvm/pom.xml" -Dtarget="$1" generate-resources
    mkdir "$1/classes"
    javac -cp "$1/lib/*" -d "$1/classes" "$here/jvm/App.java"
    cp "$here"/jvm/{logback.xml,log4j2.xml,jmx.yaml} "$1/classes"
    cp -r "$agent" "$1/agent"
    mvn --batch-mode --quiet --file "$1/agent/pom.xml" package
    mv "$1/agent/target/nodetap-jvm-agent.jar" "$1"
    rm -r "$1/agent"
    # A JVM of another user reads it too.
    chmod -R a+rX "$1"
}

case ${1-} in
    kubelet) cached kubelet "$(cd "$here/kubelet/kubelet" && key go.mod go.sum main.go)" ;;
    control-plane) cached control-plane "$(cd "$here/control-plane" && key go.mod go.sum main.go)" ;;
    packages) cached packages "$(echo "${packages[@]}" | key)-$(debian)" ;;
    bird) cached bird "$(debian)" ;;
    node-exporter) cached node-exporter "$(debian)" ;;
    image) cached image "$(cd "$here" && key writer/main.go components/prepare.sh)" ;;
    elasticsearch) cached elasticsearch "$(cd "$here/elasticsearch" && key pom.xml stand-in/*)" ;;
    opensearch) cached opensearch "$(cd "$here/opensearch" && key pom.xml)" ;;
    jvm) cached jvm "$({ (cd "$here/jvm" && key App.java ./*.xml ./*.yaml); (cd "$agent" && key pom.xml src/main/java/nodetap/jvm/*); } | key)" ;;
    prometheus-types) cached prometheus-types "$(cd "$here/prometheus-types" && key go.mod go.sum main.go)" ;;
    duckdb) cached duckdb "$duckdb_version-$(python3 --version | tr -d ' ')" ;;
    '') for component in packages bird node-exporter image duckdb elasticsearch opensearch jvm prometheus-types kubelet control-plane; do "$0" "$component"; done ;;
    *) echo "usage: prepare.sh [COMPONENT]" >&2; exit 2 ;;
esac
