//! Is a value of the right kind? Each reader gives the value or one sentence, with its line, that says what would be.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use collector::discover::RawRule;
use globset::GlobBuilder;

use super::raw::{Multiline, Start};
use super::units;
use yaml::document::{Node, Value};
use yaml::problem::Problem;
use yaml::suggest;

/// What a reader gives.
pub(super) type Read<T> = Result<T, Vec<Problem>>;

mod cluster;
mod export;
mod derive;

pub(super) use cluster::{
    MODES, TEMPLATES, index_prefix, mode, path, secret, template, url, urls, user,
};
pub(super) use export::{object, ping_targets, probes, push_url, subnets};

pub(super) use derive::{access, derive_rules, names, patterns};

const RULE_KEYS: [&str; 5] = ["namespace", "pod", "container", "label", "path"];

/// A name that goes into every document.
pub(super) fn name(node: &Node) -> Read<String> {
    let text = text(node, "a name")?;
    if text.len() > 253 || text.chars().any(char::is_control) {
        return refuse(
            node,
            "a name has at most 253 bytes and no control characters",
        );
    }
    Ok(text.to_owned())
}

/// `true` or `false`.
pub(super) fn flag(node: &Node) -> Read<bool> {
    match text(node, "`true` or `false`")? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => refuse(node, format!("`{other}` is neither `true` nor `false`")),
    }
}

/// A size within limits.
pub(super) fn bytes(node: &Node, limits: RangeInclusive<u64>) -> Read<u64> {
    let value = units::bytes(text(node, "a size")?).or_else(|sentence| refuse(node, sentence))?;
    if limits.contains(&value) {
        return Ok(value);
    }
    let (low, high) = (
        page::units::bytes_text(*limits.start()),
        page::units::bytes_text(*limits.end()),
    );
    refuse(node, format!("must be between {low} and {high}"))
}

/// A size within limits, or `none`.
pub(super) fn bytes_or_none(node: &Node, limits: RangeInclusive<u64>) -> Read<Option<u64>> {
    if is_none(node) {
        Ok(None)
    } else {
        bytes(node, limits).map(Some)
    }
}

/// A size per second within limits, or `none`; a closing `/s` may be written.
pub(super) fn rate_or_none(node: &Node, limits: RangeInclusive<u64>) -> Read<Option<u64>> {
    match &node.value {
        Value::Text(text) => {
            let size = text.strip_suffix("/s").unwrap_or(text).to_owned();
            bytes_or_none(
                &Node {
                    line: node.line,
                    value: Value::Text(size),
                },
                limits,
            )
        }
        Value::Nothing | Value::List(_) | Value::Section(_) => bytes_or_none(node, limits),
    }
}

/// A duration within limits.
pub(super) fn duration(node: &Node, limits: RangeInclusive<Duration>) -> Read<Duration> {
    let value =
        units::duration(text(node, "a duration")?).or_else(|sentence| refuse(node, sentence))?;
    if limits.contains(&value) {
        return Ok(value);
    }
    let show = |duration: &Duration| page::units::seconds_text(duration.as_secs_f64());
    refuse(
        node,
        format!(
            "must be between {} and {}",
            show(limits.start()),
            show(limits.end())
        ),
    )
}

/// A duration within limits, or `none`.
pub(super) fn duration_or_none(
    node: &Node,
    limits: RangeInclusive<Duration>,
) -> Read<Option<Duration>> {
    if is_none(node) {
        Ok(None)
    } else {
        duration(node, limits).map(Some)
    }
}

/// A whole number within limits.
pub(super) fn count(node: &Node, limits: RangeInclusive<u64>) -> Read<u64> {
    let text = text(node, "a whole number")?;
    match text.parse() {
        Ok(value) if limits.contains(&value) => Ok(value),
        Ok(_) => refuse(
            node,
            format!("must be between {} and {}", limits.start(), limits.end()),
        ),
        Err(_) => refuse(node, format!("`{text}` is not a whole number")),
    }
}

/// An address and port to listen on.
pub(super) fn address(node: &Node) -> Read<SocketAddr> {
    let text = text(node, "an address")?;
    text.parse().or_else(|_: std::net::AddrParseError| {
        refuse(
            node,
            format!("`{text}` is not an address and port, as in `127.0.0.1:9797`"),
        )
    })
}

/// `beginning`, `end` or an age.
pub(super) fn start(node: &Node) -> Read<Start> {
    match text(node, "`beginning`, `end` or an age")? {
        "beginning" => Ok(Start::Beginning),
        "end" => Ok(Start::End),
        age => units::duration(age).map(Start::Age).or_else(|_: String| {
            refuse(
                node,
                format!("`{age}` is neither `beginning` nor `end` nor an age, as in `1h`"),
            )
        }),
    }
}

/// The names of [`multiline`].
pub(super) const MULTILINE: &[&str] = &["off", "auto", "java", "python", "go", "node", "dotnet"];

/// Which stack traces are grouped.
pub(super) fn multiline(node: &Node) -> Read<Multiline> {
    choice(node, "a language", MULTILINE).map(|name| match name {
        "auto" => Multiline::Auto,
        "java" => Multiline::Java,
        "python" => Multiline::Python,
        "go" => Multiline::Go,
        "node" => Multiline::Node,
        "dotnet" => Multiline::Dotnet,
        _ => Multiline::Off,
    })
}

/// One of some words.
pub(super) fn choice(
    node: &Node,
    expected: &str,
    names: &'static [&'static str],
) -> Read<&'static str> {
    let text = text(node, expected)?;
    match names.iter().find(|name| **name == text) {
        Some(name) => Ok(name),
        None => refuse(node, format!("`{text}` is none of {}", names.join(", "))),
    }
}

/// A list of absolute path globs, kept as text once they were found to be right.
pub(super) fn path_globs(node: &Node) -> Read<Vec<String>> {
    each(node, |item| {
        let text = text(item, "an absolute path or glob")?;
        if !text.starts_with('/') {
            return refuse(
                item,
                format!("`{text}` is not an absolute path (it is read below --root)"),
            );
        }
        glob(item, true)
    })
}

/// The rules of `collect.include` or `collect.exclude`.
pub(super) fn rules(node: &Node) -> Read<Vec<RawRule>> {
    each(node, rule)
}

fn rule(node: &Node) -> Read<RawRule> {
    let Value::Section(members) = &node.value else {
        return refuse(
            node,
            "expected a rule, as in `{namespace: shop, container: \"web-*\"}`",
        );
    };
    let mut rule = RawRule::default();
    let mut problems = Vec::new();
    for member in members {
        let found = match member.name.as_str() {
            "namespace" => glob(&member.node, false).map(|glob| rule.namespace = Some(glob)),
            "pod" => glob(&member.node, false).map(|glob| rule.pod = Some(glob)),
            "container" => glob(&member.node, false).map(|glob| rule.container = Some(glob)),
            "path" => glob(&member.node, true).map(|glob| rule.path = Some(glob)),
            "label" => label(&member.node).map(|label| rule.label = Some(label)),
            other => Err(vec![Problem::at(
                member.line,
                suggest::unknown(other, &RULE_KEYS),
            )]),
        };
        problems.extend(found.err().into_iter().flatten());
    }
    if members.is_empty() {
        return refuse(
            node,
            "a rule needs at least one of namespace, pod, container, label, path",
        );
    }
    if problems.is_empty() {
        Ok(rule)
    } else {
        Err(problems)
    }
}

/// `name=glob`, or the name alone.
fn label(node: &Node) -> Read<String> {
    let text = text(node, "a label, as in `app=shop-*`")?;
    let (name, value) = text.split_once('=').unwrap_or((text, "*"));
    if name.is_empty() {
        return refuse(node, format!("`{text}` has no label's name before the `=`"));
    }
    let value = Node {
        line: node.line,
        value: Value::Text(value.to_owned()),
    };
    glob(&value, false).map(|_: String| text.to_owned())
}

/// A glob, kept as text once it was found to be right; in a path one `*` does not cross a `/`.
fn glob(node: &Node, path: bool) -> Read<String> {
    let text = text(node, "a glob")?;
    match GlobBuilder::new(text).literal_separator(path).build() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => refuse(node, format!("`{text}` is not a glob: {}", error.kind())),
    }
}

pub(super) fn each<T>(node: &Node, read: impl Fn(&Node) -> Read<T>) -> Read<Vec<T>> {
    let Value::List(items) = &node.value else {
        return refuse(node, "expected a list, as in `[a, b]`");
    };
    let mut values = Vec::new();
    let mut problems = Vec::new();
    for item in items {
        match read(item) {
            Ok(value) => values.push(value),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

fn is_none(node: &Node) -> bool {
    matches!(&node.value, Value::Text(text) if text == "none")
}

pub(super) fn text<'a>(node: &'a Node, expected: &str) -> Read<&'a str> {
    match &node.value {
        Value::Text(text) => Ok(text),
        Value::List(_) => refuse(node, format!("expected {expected}, found a list")),
        Value::Section(_) => refuse(node, format!("expected {expected}, found a section")),
        Value::Nothing => refuse(node, format!("expected {expected}, found nothing")),
    }
}

pub(super) fn refuse<T>(node: &Node, sentence: impl Into<String>) -> Read<T> {
    Err(vec![Problem::at(node.line, sentence)])
}
