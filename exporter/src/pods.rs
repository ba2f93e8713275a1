//! Whose is a process? Its cgroup names the pod's uid, and the pod's log directory gives the uid a name.
//!
//! Neither needs the API server. Directories are `<namespace>_<pod>_<uid>` (kubelet); cgroups are
//! `…/pod<uid>/<container>` (cgroupfs) or `…-pod<uid with _>.slice/…` (systemd).

use std::collections::HashMap;

use crate::place::Place;

/// Where kubelet has the pods' logs.
const LOG_DIRECTORY: &str = "var/log/pods";
/// Names of containers' logs: `<pod>_<namespace>_<container>-<id>.log`.
const CONTAINER_LOGS: &str = "var/log/containers";
/// Digits of a container's id.
const ID_DIGITS: usize = 64;

/// A pod's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
}

/// The pods of this node by uid.
#[derive(Clone, Debug, Default)]
pub struct Pods(HashMap<String, PodName>);

/// The names of this node's containers by id.
#[derive(Clone, Debug, Default)]
pub struct Containers(HashMap<String, String>);

// === impl Pods ===

impl Pods {
    /// Lists the pods that have a log directory; none where there is no kubelet.
    pub fn read(place: &Place) -> Self {
        let names = place.names(LOG_DIRECTORY).unwrap_or_default();
        Self(names.iter().filter_map(|name| directory(name)).collect())
    }

    /// The pod of a process, by the text of `/proc/<pid>/cgroup`.
    pub fn of_cgroup(&self, text: &str) -> Option<&PodName> {
        self.0.get(&uid_of_cgroup(text)?)
    }
}

// === impl Containers ===

impl Containers {
    /// Lists the containers whose logs have links; none where there is no kubelet.
    pub fn read(place: &Place) -> Self {
        let names = place.names(CONTAINER_LOGS).unwrap_or_default();
        Self(names.iter().filter_map(|name| container(name)).collect())
    }

    /// The container of a process, by the text of `/proc/<pid>/cgroup`.
    pub fn of_cgroup(&self, text: &str) -> Option<&str> {
        Some(self.0.get(container_id(text)?)?.as_str())
    }
}

/// Takes `<pod>_<namespace>_<container>-<id>.log` apart.
fn container(name: &str) -> Option<(String, String)> {
    let (rest, id) = name.strip_suffix(".log")?.rsplit_once('-')?;
    let container = rest.split('_').nth(2)?;
    is_container_id(id).then(|| (id.to_owned(), container.to_owned()))
}

/// The container's id in the text of `/proc/<pid>/cgroup`.
fn container_id(cgroup: &str) -> Option<&str> {
    cgroup
        .split(['/', '-', '.', ':', '\n'])
        .find(|part| is_container_id(part))
}

/// Whether it is the id of a container: 64 hexadecimal digits.
pub fn is_container_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Takes a log directory's name apart. Kubernetes allows no `_` in names.
pub fn directory(name: &str) -> Option<(String, PodName)> {
    let (namespace, rest) = name.split_once('_')?;
    let (pod, uid) = rest.rsplit_once('_')?;
    let name = PodName {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
    };
    Some((uid.to_owned(), name))
}

/// The pod's uid in the text of `/proc/<pid>/cgroup`, with `-` between its parts.
pub fn uid_of_cgroup(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .flat_map(|path| path.split('/'))
        .find_map(|part| {
            let part = part.strip_suffix(".slice").unwrap_or(part);
            // `pod<uid>`, `kubepods-burstable-pod<uid>`
            let (_, uid) = part.rsplit_once("pod")?;
            let uid = uid.replace('_', "-");
            is_uid(&uid).then_some(uid)
        })
}

/// A uid is a UUID; a static pod's is the hash of its manifest, 32 digits.
fn is_uid(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = text.bytes().filter(|byte| *byte == b'-').count();
    digits == 32 && digits + dashes == text.len() && matches!(dashes, 0 | 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_pods_cgroup() {
        let uid = "0f2c1a9e-5b7d-4c57-9d0c-5a1f4f6f7a11";
        let cases = [
            format!("0::/kubepods/burstable/pod{uid}/0123abcd\n"),
            format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-01.scope",
                uid.replace('-', "_")
            ),
            format!("12:pids:/\n11:cpu:/kubelet/kubepods/besteffort/pod{uid}/01\n"),
            format!("0::/../../pod{uid}/01"),
        ];
        for case in cases {
            assert_eq!(uid_of_cgroup(&case).as_deref(), Some(uid), "{case}");
        }
        let hash = "b7b85aa1749cf275c60959119ab56162";
        assert_eq!(
            uid_of_cgroup(&format!("0::/kubepods/pod{hash}/1")).as_deref(),
            Some(hash)
        );
        for case in [
            "0::/system.slice/podman.service",
            "0::/kubepods/pod",
            "",
            "pod",
            "1:2",
        ] {
            assert_eq!(uid_of_cgroup(case), None, "{case}");
        }
    }

    #[test]
    fn a_log_directorys_name() {
        let (uid, name) = directory("kube-system_etcd-node-1_abc").unwrap();
        assert_eq!(
            (uid.as_str(), name.namespace.as_str(), name.pod.as_str()),
            ("abc", "kube-system", "etcd-node-1")
        );
        assert_eq!(directory("lost+found"), None);
    }

    #[test]
    fn names_of_containers() {
        const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let name = format!("web-1_shop_app-x-{ID}.log");
        assert_eq!(container(&name), Some((ID.to_owned(), "app-x".to_owned())));
        assert_eq!(container("web_shop_app-12.log"), None);
        assert_eq!(container_id(&format!("0::/kubepods/pod1/{ID}\n")), Some(ID));
        assert_eq!(container_id(&format!("0::/x/docker-{ID}.scope")), Some(ID));
        assert_eq!(container_id("0::/user.slice"), None);
    }
}
