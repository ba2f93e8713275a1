//! Is it a rule that makes a metric, or a pattern of what is to be hidden?

use std::error::Error;

use collector::derive::{RawRule, Rule};
use collector::discover;
use collector::redact::{self, RawPattern};

use super::{Read, each, flag, glob, name, refuse, rule, text};
use yaml::document::{Member, Node, Value};
use yaml::problem::Problem;
use yaml::suggest;

const RULE_KEYS: [&str; 9] = [
    "name",
    "help",
    "namespace",
    "pod",
    "container",
    "pattern",
    "histogram",
    "buckets",
    "scale",
];

/// A list of names.
pub(in crate::config) fn names(node: &Node, count_max: usize) -> Read<Vec<String>> {
    let names = each(node, name)?;
    if names.len() > count_max {
        return refuse(node, format!("at most {count_max} names"));
    }
    Ok(names)
}

/// Rules by which access logs are chosen: a container is all that is known there.
pub(in crate::config) fn access(node: &Node) -> Read<Vec<discover::RawRule>> {
    each(node, |item| {
        let chosen = rule(item)?;
        if chosen.path.is_some() || chosen.label.is_some() {
            return refuse(
                item,
                "access logs are chosen by namespace, pod and container only",
            );
        }
        Ok(chosen)
    })
}

/// Metrics of one's own, each compiled once to see that it can be.
pub(in crate::config) fn derive_rules(node: &Node) -> Read<Vec<RawRule>> {
    let rules = each(node, |item| {
        let raw = derive_rule(item)?;
        match Rule::new(&raw) {
            Ok(_) => Ok(raw),
            Err(problems) => Err(problems
                .iter()
                .map(|problem| Problem::at(item.line, chain(problem)))
                .collect()),
        }
    })?;
    unique(node, rules, |rule| &rule.name)
}

fn derive_rule(node: &Node) -> Read<RawRule> {
    let Value::Section(members) = &node.value else {
        return refuse(
            node,
            "expected a rule, as in `{name: orders_total, container: shop, pattern: \"order placed\"}`",
        );
    };
    let mut rule = RawRule::default();
    let mut problems = Vec::new();
    for Member { line, name, node } in members {
        let read = match name.as_str() {
            "name" => text(node, "a metric's name").map(|text| text.clone_into(&mut rule.name)),
            "help" => text(node, "a sentence").map(|text| rule.help = Some(text.to_owned())),
            "namespace" => glob(node, false).map(|glob| rule.namespace = Some(glob)),
            "pod" => glob(node, false).map(|glob| rule.pod = Some(glob)),
            "container" => glob(node, false).map(|glob| rule.container = Some(glob)),
            "pattern" => {
                text(node, "a regular expression").map(|text| text.clone_into(&mut rule.pattern))
            }
            "histogram" => flag(node).map(|flag| rule.histogram = flag),
            "buckets" => each(node, number).map(|buckets| rule.buckets = Some(buckets)),
            "scale" => number(node).map(|scale| rule.scale = Some(scale)),
            other => Err(vec![Problem::at(
                *line,
                suggest::unknown(other, &RULE_KEYS),
            )]),
        };
        problems.extend(read.err().into_iter().flatten());
    }
    if problems.is_empty() {
        Ok(rule)
    } else {
        Err(problems)
    }
}

/// What is to be hidden: names of what is built in, and expressions of one's own.
pub(in crate::config) fn patterns(node: &Node) -> Read<Vec<RawPattern>> {
    let patterns = each(node, |item| {
        let raw = pattern(item)?;
        match redact::Settings::new(std::slice::from_ref(&raw)) {
            Ok(_) => Ok(raw),
            Err(problems) => Err(problems
                .iter()
                .map(|problem| Problem::at(item.line, chain(problem)))
                .collect()),
        }
    })?;
    if patterns.len() > redact::PATTERNS_MAX {
        return refuse(node, format!("at most {} patterns", redact::PATTERNS_MAX));
    }
    unique(node, patterns, |pattern| &pattern.name)
}

fn pattern(node: &Node) -> Read<RawPattern> {
    let Value::Section(members) = &node.value else {
        return Ok(RawPattern {
            name: text(
                node,
                "a pattern, as in `email` or `{name: ticket, pattern: \"T-[0-9]+\"}`",
            )?
            .to_owned(),
            pattern: None,
        });
    };
    let mut raw = RawPattern::default();
    let mut problems = Vec::new();
    for Member { line, name, node } in members {
        let read = match name.as_str() {
            "name" => text(node, "a name").map(|text| text.clone_into(&mut raw.name)),
            "pattern" => {
                text(node, "a regular expression").map(|text| raw.pattern = Some(text.to_owned()))
            }
            other => Err(vec![Problem::at(
                *line,
                suggest::unknown(other, &["name", "pattern"]),
            )]),
        };
        problems.extend(read.err().into_iter().flatten());
    }
    if problems.is_empty() {
        Ok(raw)
    } else {
        Err(problems)
    }
}

fn number(node: &Node) -> Read<f64> {
    let text = text(node, "a number")?;
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) | Err(_) => refuse(node, format!("`{text}` is not a number")),
    }
}

/// The list again, if no two have the same name.
fn unique<T>(node: &Node, items: Vec<T>, name: fn(&T) -> &String) -> Read<Vec<T>> {
    let mut names: Vec<&String> = items.iter().map(name).collect();
    names.sort();
    let mut twice = names.iter().zip(names.iter().skip(1));
    if let Some((name, _)) = twice.find(|(one, other)| one == other) {
        return refuse(node, format!("`{name}` is there twice"));
    }
    Ok(items)
}

/// What is wrong with all its causes; a regular expression's error has lines of its own.
fn chain(problem: &dyn Error) -> String {
    let mut text = problem.to_string();
    let mut cause = problem.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
