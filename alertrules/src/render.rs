//! What does a place load? The rules as files for Prometheus, its operator, Alertmanager, or programs.

use std::collections::BTreeSet;

use yaml::document::Node;
use yaml::emit;
use yaml::problem::Problems;

use crate::files::ALERTMANAGER;
use crate::inhibit::inhibit_rules;
use crate::rules::{Optional, RuleFile, rules, texts};
use crate::topology::Topology;
use crate::values::Values;

/// What the files are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `rule_files` of Prometheus.
    Prometheus,
    /// Objects of the kind `PrometheusRule`, for the Prometheus operator.
    PrometheusRule,
    /// Alertmanager's configuration, with inhibition from the topology.
    Alertmanager,
    /// As for Prometheus, in JSON.
    Json,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Makes the files of a format.
pub fn render(
    format: Format,
    values: &Values,
    optional: &Optional,
) -> Result<Vec<Rendered>, Problems> {
    let files = rules(values, optional)?;
    let each = |make: fn(&RuleFile, &Values) -> Rendered| {
        files.iter().map(|file| make(file, values)).collect()
    };
    Ok(match format {
        Format::Prometheus => each(|file, _| Rendered {
            name: format!("{}.rules.yml", file.name),
            text: emit::block(&file.tree()),
        }),
        Format::Json => each(|file, _| Rendered {
            name: format!("{}.rules.json", file.name),
            text: emit::json(&file.tree()) + "\n",
        }),
        Format::PrometheusRule => each(prometheus_rule),
        Format::Alertmanager => vec![alertmanager(values, &files)?],
    })
}

fn prometheus_rule(file: &RuleFile, values: &Values) -> Rendered {
    let name = format!("nodetap-{}", file.name.replace('_', "-"));
    let mut metadata = vec![("name", Node::text(&name))];
    if let Some(namespace) = &values.namespace {
        metadata.push(("namespace", Node::text(namespace)));
    }
    if !values.metadata_labels.is_empty() {
        metadata.push(("labels", texts(&values.metadata_labels)));
    }
    let tree = Node::section([
        ("apiVersion", Node::text("monitoring.coreos.com/v1")),
        ("kind", Node::text("PrometheusRule")),
        ("metadata", Node::section(metadata)),
        ("spec", file.tree()),
    ]);
    Rendered {
        name: format!("{name}.yaml"),
        text: emit::block(&tree),
    }
}

fn alertmanager(values: &Values, files: &[RuleFile]) -> Result<Rendered, Problems> {
    let topology = Topology::built_in()?;
    let inhibition = Node::section([("inhibit_rules", inhibit_rules(&topology, files))]);
    let mut text = values.fill(ALERTMANAGER, &mut BTreeSet::new())?;
    text.push_str("\n# Made from the topology: what a firing cause explains, and lesser alerts of the same thing.\n");
    text.push_str(&emit::block(&inhibition));
    Ok(Rendered {
        name: "alertmanager.yml".to_owned(),
        text,
    })
}
