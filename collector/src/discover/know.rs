//! When is it known whose log a Docker container's is? Its configuration may come after its log, or never.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Discovery;
use super::docker::{self, CONFIG_BYTES_MAX, CONFIG_NAMES, Facts};
use super::tree::{Directory, DockerContainer, Key, Knowledge, PodNames, Role};

/// How long a Docker container's files are held back for its configuration, which tells whose they are.
const DOCKER_PATIENCE: Duration = Duration::from_secs(1);

impl Discovery {
    /// Whether a directory is a Docker container's whose configuration was not read yet.
    pub(super) fn is_awaited(&self, key: Key) -> bool {
        self.tree.get(key).is_some_and(|known| {
            matches!(
                &known.role,
                Role::DockerContainer(container)
                    if matches!(container.knowledge, Knowledge::Awaited { .. })
            )
        })
    }

    /// Reads a Docker container's configuration, if it is there and says something new.
    pub(super) fn know_docker(&mut self, key: Key, now: Instant) {
        let Some(known) = self.tree.get(key) else {
            return;
        };
        let Role::DockerContainer(container) = &known.role else {
            return;
        };
        let mut container = container.clone();
        let read = |name: &str, bytes_max| self.root.read(&known.place.join(name), bytes_max).ok();
        let facts = CONFIG_NAMES
            .iter()
            .find_map(|name| Facts::parse(&read(name, CONFIG_BYTES_MAX)?));
        let driver =
            read("hostconfig.json", CONFIG_BYTES_MAX).and_then(|host| docker::driver(&host));
        container.driver = driver.or(container.driver);
        let mut stream = None;
        let mut is_news = true;
        container.knowledge = match (container.knowledge, facts) {
            (Knowledge::Awaited { .. }, Some(facts)) => {
                let origin = Arc::new(facts.origin(&container.id));
                stream = Some(origin.stream.clone());
                Knowledge::Known { facts, origin }
            }
            (Knowledge::Known { facts: old, origin }, Some(facts))
                if old != facts && origin.stream == facts.stream(&container.id) =>
            {
                let origin = Arc::new(facts.origin(&container.id));
                Knowledge::Known { facts, origin }
            }
            (Knowledge::Awaited { until }, None) => {
                // Containers that were there before us have had their time.
                is_news = false;
                Knowledge::Awaited {
                    until: until.or((self.scans <= 1).then_some(now)),
                }
            }
            (knowledge, _) => {
                is_news = false;
                knowledge
            }
        };
        self.docker_known(key, *container, stream, now);
        if is_news {
            self.mark(key, now);
        }
    }

    fn docker_known(
        &mut self,
        key: Key,
        container: DockerContainer,
        stream: Option<String>,
        now: Instant,
    ) {
        let pod = match &container.knowledge {
            Knowledge::Known { facts, .. } => facts.pod(),
            Knowledge::Awaited { .. } | Knowledge::Missing { .. } => None,
        };
        if let Some((uid, namespace, name)) = pod {
            let pod = PodNames {
                namespace: namespace.into(),
                name: name.into(),
                uid: uid.into(),
            };
            self.learn_pod(Arc::new(pod), now);
        }
        let Some(known) = self.tree.get_mut(key) else {
            return;
        };
        known.role = Role::DockerContainer(Box::new(container));
        let was_hot = known.is_hot;
        let Some(stream) = stream else { return };
        self.tree.join_stream(key, stream);
        if self
            .tree
            .get(key)
            .is_some_and(|known| known.is_hot != was_hot)
        {
            self.rewatch(key);
        }
    }
}

/// Whether the files of a directory are held back.
pub(super) enum Hold {
    Free,
    Until(Instant),
    /// As long as there are no files, there is nothing to wait for.
    Unknown,
}

/// Whether the files of a directory are held back now.
///
/// A Docker container whose configuration does not come in time goes on with its id, and keeps it, so that the stream
/// does not change its name.
pub(super) fn hold(known: &mut Directory, has_files: bool, now: Instant) -> Hold {
    let Role::DockerContainer(container) = &mut known.role else {
        return Hold::Free;
    };
    let Knowledge::Awaited { until } = &mut container.knowledge else {
        return Hold::Free;
    };
    if !has_files {
        return Hold::Unknown;
    }
    let at = until
        .or_else(|| now.checked_add(DOCKER_PATIENCE))
        .unwrap_or(now);
    *until = Some(at);
    if at > now {
        return Hold::Until(at);
    }
    container.knowledge = Knowledge::Missing {
        origin: Arc::new(Facts::default().origin(&container.id)),
    };
    let path = known.place.path();
    tracing::warn!(
        ?path,
        "no readable Docker configuration, going on with the container's id"
    );
    Hold::Free
}
