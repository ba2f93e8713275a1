//! The mapping of virtual addresses as a `ConfigMap` of a real API server, read with the rights of a service account.

use std::fs;
use std::process::Command;

use crate::component;
use crate::machine::Machine;
use crate::said::Said;
use crate::stopwatch::Stopwatch;

/// Keys have no colon: IPv6 stands in a text.
const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: vips, namespace: shop}
data:
  10.99.0.1: shop/web:metrics
  10.99.0.1-53-udp: kube-system/dns:dns
  more.yaml: |
    "fd00:99::1": shop/web:http
    10.99.0.99: shop/gone:http
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  ports: [{name: metrics, port: 8080}, {name: http, port: 80}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: director, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: vips, namespace: shop}
rules:
- {apiGroups: [""], resources: [configmaps], resourceNames: [vips], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: vips, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: vips}
subjects: [{kind: ServiceAccount, name: director, namespace: shop}]
"#;
const SERVICES: &str = r#"[{"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]}}]"#;

#[test]
fn the_mapping_comes_from_an_api_server_that_grants_it() {
    let mut watch = Stopwatch::start("vip_mapping");
    let machine = Machine::of_cluster();
    watch.did("found or built and started a control plane");
    fs::write(machine.directory("objects.yaml"), OBJECTS).expect("write the objects");
    kubectl(&machine, &["apply", "-f", "/node/objects.yaml"]);
    let token = kubectl(&machine, &["create", "token", "director", "-n", "shop"]);

    let refused = scrape(&machine, "no-such-token");
    assert_eq!(loaded(&refused), "0");
    assert!(refused.family("lvs_vip_mapping_info").is_empty());

    let granted = scrape(&machine, &token);
    assert_eq!(loaded(&granted), "1");
    assert_eq!(granted.family("lvs_vip_mapping_info").len(), 4);
    assert_eq!(sample(&granted, "lvs_vip_unprogrammed_mappings"), "1");
    let named = services(&granted, "namespace=\"kube-system\"");
    assert!(
        named.len() == 1 && named[0].contains("vport=\"53\""),
        "{named:?}"
    );
    assert!(services(&granted, "linkaddr=\"fd00:99::1\"")[0].contains("service=\"web\""));

    // Without that right the name `metrics` may be any port of the address.
    let role = [
        "patch",
        "role",
        "vips",
        "-n",
        "shop",
        "--type=json",
        "-p",
        SERVICES,
    ];
    kubectl(&machine, &role);
    let resolved = crate::stopwatch::within(
        std::time::Duration::from_secs(30),
        "the right to read services is there",
        || {
            let said = scrape(&machine, &token);
            let web = services(&said, "linkaddr=\"10.99.0.1\"")
                .into_iter()
                .filter(|sample| sample.contains("service=\"web\""))
                .collect::<Vec<_>>();
            match &web[..] {
                [one] if one.contains("vport=\"8080\"") => Ok(one.clone()),
                other => Err(format!("{other:?}")),
            }
        },
    );
    watch.did(&format!("compared; {resolved}"));
}

fn kubectl(machine: &Machine, arguments: &[&str]) -> String {
    let command = ["/control-plane/kubectl", "--kubeconfig=/node/admin.conf"];
    machine.run(&[&command, arguments].concat())
}

/// One scrape of a director's files, by a process in the network of the API server.
fn scrape(machine: &Machine, token: &str) -> Said {
    let file = |name: &str| machine.directory(name);
    fs::write(file("director.token"), token).expect("write the token");
    let admin = fs::read_to_string(file("admin.conf")).expect("read a kubeconfig");
    let kubeconfig = admin.replace("token: token-of-admin", "tokenFile: director.token");
    fs::write(file("director.conf"), kubeconfig).expect("write a kubeconfig");
    let config = format!(
        "export:\n  lvs_configmap: shop/vips\n  kubeconfig: {}\n",
        file("director.conf").display()
    );
    fs::write(file("director.yaml"), config).expect("write the configuration");
    let done = machine.in_network(|| {
        Command::new(tests::process::program())
            .arg("--config")
            .arg(file("director.yaml"))
            .arg("--state")
            .arg(file("director"))
            .arg("--root")
            .arg(component::folder().join("../fixtures/node"))
            .args(["metrics", "lvs"])
            .output()
            .expect("run nodetap")
    });
    let out = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{done:?}");
    let samples: Vec<&str> = out.lines().filter(|line| !line.starts_with('#')).collect();
    Said::situations(&format!("## one\n{}", samples.join("\n")))
        .remove("one")
        .expect("one situation")
}

fn services(said: &Said, wanted: &str) -> Vec<String> {
    said.family("lvs_service_info")
        .iter()
        .filter(|(sample, _)| sample.contains(wanted))
        .map(|(sample, _)| (*sample).to_owned())
        .collect()
}

fn loaded(said: &Said) -> String {
    sample(said, "lvs_vip_mapping_last_reload_successful")
}

fn sample(said: &Said, name: &str) -> String {
    said.sample(name).to_string()
}
