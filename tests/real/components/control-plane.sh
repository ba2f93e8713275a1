# The control plane of a node: etcd, the API server, its controllers and the scheduler, as processes beside the kubelet.
#
# Sourced by node.sh inside of the node; needs `wait_for` and the component `control-plane` at /control-plane. Makes
# /node/<user>.conf, a kubeconfig for each of admin, kubelet, controllers, scheduler. The node has no way out, so static
# tokens and a certificate that nobody verifies will do; what is granted to whom is as everywhere (Node, RBAC).

server=https://127.0.0.1:6443

make_user() {
    local name=$1 user=$2 groups=$3
    echo "token-of-$name,$user,$name,\"$groups\"" >> /node/tokens.csv
    cat > "/node/$name.conf" <<-YAML
	apiVersion: v1
	kind: Config
	current-context: node
	clusters: [{name: node, cluster: {server: "$server", insecure-skip-tls-verify: true}}]
	users: [{name: $name, user: {token: token-of-$name}}]
	contexts: [{name: node, context: {cluster: node, user: $name}}]
	YAML
}

start_control_plane() {
    local logs=/node/logs
    make_user admin admin system:masters
    make_user kubelet system:node:node-of-test system:nodes
    make_user controllers system:kube-controller-manager ''
    make_user scheduler system:kube-scheduler ''
    openssl genrsa -out /node/accounts.key 2048 2> /dev/null
    /control-plane/etcd --name=node --data-dir=/run/etcd --unsafe-no-fsync --logger=zap \
        --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
        --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
        --initial-cluster=node=http://127.0.0.1:2380 > $logs/etcd.log 2>&1 &
    /control-plane/kube-apiserver --advertise-address=10.88.0.2 --secure-port=6443 --cert-dir=/run/apiserver \
        --etcd-servers=http://127.0.0.1:2379 --token-auth-file=/node/tokens.csv --authorization-mode=Node,RBAC \
        --enable-admission-plugins=NodeRestriction --allow-privileged=true --service-cluster-ip-range=10.96.0.0/16 \
        --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=/node/accounts.key \
        --service-account-signing-key-file=/node/accounts.key > $logs/apiserver.log 2>&1 &
    wait_for /control-plane/kubectl --kubeconfig=/node/admin.conf get --raw /readyz
    /control-plane/kube-controller-manager --kubeconfig=/node/controllers.conf --leader-elect=false \
        --service-account-private-key-file=/node/accounts.key --use-service-account-credentials=true \
        > $logs/controllers.log 2>&1 &
    /control-plane/kube-scheduler --kubeconfig=/node/scheduler.conf --leader-elect=false > $logs/scheduler.log 2>&1 &
}
