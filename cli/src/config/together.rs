//! Do the keys go together? What no single value can tell.

use super::raw::Written;
use yaml::problem::Problem;

/// Keys of which only one may be set.
const EITHER: [(&str, &str); 6] = [
    ("export.push_user", "export.push_token_file"),
    ("export.lvs_mapping", "export.lvs_configmap"),
    ("elasticsearch.password", "elasticsearch.password_file"),
    ("elasticsearch.api_key", "elasticsearch.api_key_file"),
    ("elasticsearch.user", "elasticsearch.api_key"),
    ("elasticsearch.user", "elasticsearch.api_key_file"),
];

/// Keys that mean nothing without one of others.
const NEEDS: [(&str, &[&str]); 10] = [
    ("export.push_user", &["export.push_password_file"]),
    ("export.push_password_file", &["export.push_user"]),
    ("export.push_token_file", &["export.push_url"]),
    ("export.push_ca_file", &["export.push_url"]),
    ("export.kubeconfig", &["export.lvs_configmap"]),
    (
        "elasticsearch.user",
        &["elasticsearch.password", "elasticsearch.password_file"],
    ),
    ("elasticsearch.password", &["elasticsearch.user"]),
    ("elasticsearch.password_file", &["elasticsearch.user"]),
    ("alerts.user", &["alerts.password_file"]),
    ("alerts.password_file", &["alerts.user"]),
];

/// What is wrong with the keys that are set, each with its line.
pub(super) fn check(written: &Written) -> Vec<Problem> {
    let either = EITHER.iter().filter_map(|(one, other)| {
        let (first, second) = (written.line(one)?, written.line(other)?);
        let line = first.max(second);
        Some(Problem::at(
            line,
            format!("{one} and {other} exclude each other: keep one of them"),
        ))
    });
    let needs = NEEDS.iter().filter_map(|(key, others)| {
        let line = written.line(key)?;
        let is_missing = others.iter().all(|other| written.line(other).is_none());
        let wanted = others.join(" or ");
        is_missing.then(|| Problem::at(line, format!("{key} needs {wanted}")))
    });
    either.chain(needs).collect()
}
