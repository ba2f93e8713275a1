//! Which files are wanted? Decided by name and label, before a file is opened.

use globset::{Glob, GlobBuilder, GlobMatcher};
use record::{Origin, Source};
use serde::{Deserialize, Serialize};

/// One rule as a person writes it: globs, all of which must match. A field that is left out matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRule {
    /// `kubernetes.namespace`
    pub namespace: Option<String>,
    /// `kubernetes.pod.name`
    pub pod: Option<String>,
    /// The container's name.
    pub container: Option<String>,
    /// `name=value`, or `name` alone for any value; the value is a glob. Labels are those of Docker's containers: a
    /// pod's are not known when its file appears, so such a rule never matches it.
    pub label: Option<String>,
    /// The file's path without `--root`; `*` stays in one directory, `**` does not.
    pub path: Option<String>,
}

/// Which sources are taken: those that an include matches (all, without includes) and no exclude does.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    include: Vec<Rule>,
    exclude: Vec<Rule>,
}

/// A rule that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// A pattern is not a glob.
    #[error("read the {field} pattern {pattern:?}")]
    Pattern {
        /// The field of the rule.
        field: &'static str,
        /// What was written.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A rule without any field would match everything.
    #[error("read a rule without any field: it would match every file")]
    Empty,
}

#[derive(Clone, Debug)]
struct Rule {
    namespace: Option<GlobMatcher>,
    pod: Option<GlobMatcher>,
    container: Option<GlobMatcher>,
    label: Option<(String, GlobMatcher)>,
    path: Option<GlobMatcher>,
    /// The rule as a person reads it.
    text: String,
}

// === impl Selection ===

impl Selection {
    /// Reads the rules; gives every problem, not the first one.
    pub fn new(include: &[RawRule], exclude: &[RawRule]) -> Result<Self, Vec<SelectError>> {
        let mut problems = Vec::new();
        let mut read = |rules: &[RawRule]| {
            rules
                .iter()
                .filter_map(|raw| Rule::new(raw, &mut problems))
                .collect::<Vec<_>>()
        };
        let (include, exclude) = (read(include), read(exclude));
        if problems.is_empty() {
            Ok(Self { include, exclude })
        } else {
            Err(problems)
        }
    }

    /// Whether an include rule matches by names and labels alone. Without a file there is no path: a rule with one never
    /// matches.
    pub fn includes(&self, origin: &Origin) -> bool {
        self.include
            .iter()
            .any(|rule| rule.path.is_none() && rule.matches_origin(origin))
    }

    /// Why a source is not wanted; `None` if it is.
    pub fn excluded<'a>(&'a self, source: &Source) -> Option<&'a str> {
        if let Some(rule) = self.exclude.iter().find(|rule| rule.matches(source)) {
            return Some(&rule.text);
        }
        let wanted =
            self.include.is_empty() || self.include.iter().any(|rule| rule.matches(source));
        (!wanted).then_some("no include rule matches")
    }
}

// === impl Rule ===

impl Rule {
    fn new(raw: &RawRule, problems: &mut Vec<SelectError>) -> Option<Self> {
        let count = problems.len();
        let mut text = Vec::new();
        let mut glob = |field: &'static str, pattern: Option<&str>| {
            let pattern = pattern?;
            text.push(format!("{field}={pattern}"));
            let built = if field == "path" {
                path_glob(pattern)
            } else {
                Glob::new(pattern)
            };
            built
                .map(|glob| glob.compile_matcher())
                .map_err(|source| {
                    problems.push(SelectError::Pattern {
                        field,
                        pattern: pattern.to_owned(),
                        source,
                    });
                })
                .ok()
        };
        let namespace = glob("namespace", raw.namespace.as_deref());
        let pod = glob("pod", raw.pod.as_deref());
        let container = glob("container", raw.container.as_deref());
        let label = raw
            .label
            .as_deref()
            .map(|label| label.split_once('=').unwrap_or((label, "*")));
        let label =
            label.and_then(|(name, value)| Some((name.to_owned(), glob("label", Some(value))?)));
        let path = glob("path", raw.path.as_deref());
        if text.is_empty() {
            problems.push(SelectError::Empty);
        }
        let text = text.join(" ");
        (problems.len() == count).then_some(Self {
            namespace,
            pod,
            container,
            label,
            path,
            text,
        })
    }

    fn matches(&self, source: &Source) -> bool {
        self.matches_origin(&source.origin)
            && self
                .path
                .as_ref()
                .is_none_or(|glob| glob.is_match(&source.path))
    }

    fn matches_origin(&self, origin: &Origin) -> bool {
        let text = |glob: &Option<GlobMatcher>, value: &str| {
            glob.as_ref().is_none_or(|glob| glob.is_match(value))
        };
        text(&self.namespace, origin.namespace())
            && text(&self.pod, origin.pod_name())
            && text(&self.container, origin.container_name())
            && self.label.as_ref().is_none_or(|(name, glob)| {
                let pod = origin.pod.as_ref().and_then(|pod| pod.labels.get(name));
                let own = origin
                    .container
                    .as_ref()
                    .and_then(|own| own.labels.get(name));
                pod.or(own).is_some_and(|value| glob.is_match(value))
            })
    }
}

/// A glob over paths, in which `*` stays within one directory.
pub(super) fn path_glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}
