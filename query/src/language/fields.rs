//! Which field does a name mean? ECS names, short names, and the nearest one to a slip of the pen.

use std::ops::Range;

use store::Field;

use super::cursor::Cursor;
use super::error::QueryError;

/// Before the key of a pod's label.
const LABELS: [&str; 2] = ["kubernetes.labels.", "labels."];
/// Before a path into the parsed body.
const APP: &str = "app.";
/// A name this far from every field is not taken for a slip.
const SLIP_LETTERS_MAX: usize = 3;
/// Longer names are not compared letter by letter.
const NAME_BYTES_MAX: usize = 64;

/// Every field with its ECS name and its short ones.
pub(super) const NAMES: [(&str, &[&str], Field); 24] = [
    ("message", &["msg"], Field::Message),
    ("log.level", &["level"], Field::Level),
    ("stream", &["output"], Field::Output),
    ("log.stream", &[], Field::Stream),
    (
        "kubernetes.namespace",
        &["namespace", "ns"],
        Field::Namespace,
    ),
    ("kubernetes.pod.name", &["pod", "pod.name"], Field::PodName),
    ("kubernetes.pod.uid", &["uid", "pod.uid"], Field::PodUid),
    (
        "kubernetes.container.name",
        &["container", "container.name"],
        Field::ContainerName,
    ),
    (
        "kubernetes.container.restart_count",
        &["restart", "restart_count"],
        Field::RestartCount,
    ),
    ("kubernetes.node.name", &["node"], Field::NodeName),
    ("container.id", &[], Field::ContainerId),
    ("container.runtime", &["runtime"], Field::ContainerRuntime),
    ("container.image.name", &["image"], Field::Image),
    ("host.name", &["host"], Field::Host),
    ("orchestrator.cluster.name", &["cluster"], Field::Cluster),
    ("log.file.path", &["path", "file"], Field::Path),
    ("log.file.fingerprint", &["fingerprint"], Field::Fingerprint),
    ("log.file.started", &["started"], Field::Started),
    ("event.dataset", &["dataset"], Field::Dataset),
    ("log.offset", &["offset"], Field::Offset),
    ("log.part", &["part"], Field::Part),
    ("@timestamp", &["time", "timestamp"], Field::Time),
    ("tags", &["tag"], Field::Tags),
    ("error.message", &[], Field::Error),
];

/// The field of a name; the case of a label's or a body's key counts, that of the others does not.
pub(super) fn find(name: &str) -> Option<Field> {
    let key = |prefix: &str| name.strip_prefix(prefix).filter(|key| !key.is_empty());
    if let Some(key) = LABELS.into_iter().find_map(key) {
        return Some(Field::Label(key.to_owned()));
    }
    if let Some(path) = key(APP) {
        return Some(Field::App(path.to_owned()));
    }
    NAMES.iter().find_map(|(ecs, short, field)| {
        let named = std::iter::once(ecs)
            .chain(short.iter())
            .any(|own| own.eq_ignore_ascii_case(name));
        named.then(|| field.clone())
    })
}

/// The name by which a field is printed: the shortest that is as clear.
pub(super) fn name(field: &Field) -> String {
    match field {
        Field::Label(key) => format!("labels.{key}"),
        Field::App(path) => format!("app.{path}"),
        _ => NAMES
            .iter()
            .find(|(_, _, own)| own == field)
            .map(|(ecs, short, _)| short.first().unwrap_or(ecs))
            .map_or_else(String::new, |name| (*name).to_owned()),
    }
}

/// The error for a name that no field has.
pub(super) fn unknown(cursor: &Cursor<'_>, name: &str, span: Range<usize>) -> QueryError {
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    let message = format!("there is no field {shown}");
    let hint = match nearest(name) {
        Some(near) => format!("did you mean {near}? To find it as text, quote it: \"{shown}:\""),
        None => format!("to find it as text, quote it: \"{shown}:\""),
    };
    cursor.error(span, message, Some(&hint))
}

/// The field's name that differs in the fewest letters, if that is few.
fn nearest(name: &str) -> Option<&'static str> {
    if NAME_BYTES_MAX < name.len() {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let allowed = SLIP_LETTERS_MAX.min(lower.chars().count() / 3 + 1);
    NAMES
        .iter()
        .flat_map(|(ecs, short, _)| short.iter().chain(std::iter::once(ecs)))
        .chain(&["labels.<key>", "app.<key>"])
        .map(|candidate| {
            // "label.app" and "apps.id" are slips before the dot, whatever stands behind it.
            let own = match candidate.strip_suffix("<key>") {
                Some(prefix) => format!(
                    "{prefix}{}",
                    lower.split_once('.').map_or("", |(_, key)| key)
                ),
                None => (*candidate).to_owned(),
            };
            (distance(&lower, &own), *candidate)
        })
        .filter(|(letters, candidate)| *letters <= allowed && *letters < candidate.len())
        .min_by_key(|(letters, _)| *letters)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, removed, replaced or swapped with their neighbour to get from one name to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let width = to.len() + 1;
    let mut before = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, own) in from.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, other) in to.iter().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (cell(&last, column) + usize::from(own != other))
                .min(cell(&last, column + 1) + 1)
                .min(cell(&current, column) + 1);
            let swapped = row
                .checked_sub(1)
                .zip(column.checked_sub(1))
                .is_some_and(|(up, left)| from.get(up) == Some(other) && to.get(left) == Some(own));
            if swapped {
                cost = cost.min(cell(&before, column - 1) + 1);
            }
            if let Some(place) = current.get_mut(column + 1) {
                *place = cost;
            }
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_field_and_no_name_two() {
        let mut seen = std::collections::HashSet::new();
        for (ecs, short, field) in &NAMES {
            for own in std::iter::once(ecs).chain(short.iter()) {
                assert_eq!(find(own).as_ref(), Some(field));
                assert_eq!(find(&own.to_uppercase()).as_ref(), Some(field));
                assert!(seen.insert(*own), "{own} stands twice");
            }
            assert_eq!(find(&name(field)).as_ref(), Some(field));
        }
        assert_eq!(
            find("labels.app.kubernetes.io/Name"),
            Some(Field::Label("app.kubernetes.io/Name".into()))
        );
        assert_eq!(find("kubernetes.labels.a"), Some(Field::Label("a".into())));
        assert_eq!(find("app.user.id"), Some(Field::App("user.id".into())));
        assert_eq!(find("app."), None);
        assert_eq!(find("error"), None);
    }

    #[test]
    fn slips_find_the_nearest_name() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(nearest(name), expect, "{name}");
        check("levle", Some("level"));
        check("lvl", Some("level"));
        check("namspace", Some("namespace"));
        check("pods", Some("pod"));
        check("kubernetes.pod_name", Some("kubernetes.pod.name"));
        check("label.team", Some("labels.<key>"));
        check("timestmap", Some("timestamp"));
        check("http", None);
        check("10", None);
        check(&"x".repeat(10_000), None);
    }
}
