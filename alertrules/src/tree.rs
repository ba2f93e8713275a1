//! What does a node of a YAML tree hold? Reads sections field by field and notes what is wrong or left over.

use yaml::document::{Node, Value};
use yaml::problem::Problem;
use yaml::suggest;

/// The fields of a section that are not taken yet.
pub(crate) struct Fields<'a> {
    what: &'a str,
    asked: Vec<&'static str>,
    left: Vec<(&'a str, usize, &'a Node)>,
}

// === impl Fields ===

impl<'a> Fields<'a> {
    pub(crate) fn of(node: &'a Node, what: &'a str, problems: &mut Vec<Problem>) -> Self {
        let mut left = Vec::new();
        match &node.value {
            Value::Section(members) => {
                for member in members {
                    left.push((member.name.as_str(), member.line, &member.node));
                }
            }
            Value::Nothing => {}
            Value::Text(_) | Value::List(_) => {
                problems.push(Problem::at(node.line, format!("{what} must be a section")));
            }
        }
        Self {
            what,
            asked: Vec::new(),
            left,
        }
    }

    /// What stands under a key, if anything does.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        let index = self.left.iter().position(|(name, _, _)| *name == key)?;
        let (_, _, node) = self.left.swap_remove(index);
        (node.value != Value::Nothing).then_some(node)
    }

    /// The text under a key; empty where there is none.
    pub(crate) fn text(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> String {
        self.optional(key, problems).unwrap_or_default()
    }

    /// The text under a key, if there is one.
    pub(crate) fn optional(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let node = self.take(key)?;
        if text(node).is_none() {
            problems.push(Problem::at(node.line, format!("`{key}` must be a text")));
        }
        text(node).map(ToOwned::to_owned)
    }

    /// `true` or `false` under a key.
    pub(crate) fn flag(
        &mut self,
        key: &'static str,
        otherwise: bool,
        problems: &mut Vec<Problem>,
    ) -> bool {
        match self.take(key).map(|node| (node.line, text(node))) {
            None => otherwise,
            Some((_, Some("true"))) => true,
            Some((_, Some("false"))) => false,
            Some((line, _)) => {
                let text = format!("`{key}` must be true or false");
                problems.push(Problem::at(line, text));
                otherwise
            }
        }
    }

    /// The nodes of the list under a key.
    pub(crate) fn list(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
    ) -> impl Iterator<Item = &'a Node> + use<'a> {
        let items = match self.take(key) {
            Some(node) => items(node, key, problems),
            None => &[],
        };
        items.iter()
    }

    /// The texts of the list under a key, each with its line.
    pub(crate) fn lines(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
    ) -> Vec<(usize, String)> {
        let mut texts = Vec::new();
        for node in self.list(key, problems) {
            match text(node) {
                Some(text) => texts.push((node.line, text.to_owned())),
                None => problems.push(Problem::at(
                    node.line,
                    format!("`{key}` is a list of texts"),
                )),
            }
        }
        texts
    }

    /// The texts of the list under a key.
    pub(crate) fn texts(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Vec<String> {
        let lines = self.lines(key, problems);
        lines.into_iter().map(|(_, text)| text).collect()
    }

    /// Notes every key that nobody asked for.
    pub(crate) fn finish(self, problems: &mut Vec<Problem>) {
        for (name, line, _) in self.left {
            let text = format!("{}: {}", self.what, unknown("key", name, &self.asked));
            problems.push(Problem::at(line, text));
        }
    }
}

/// The text of a scalar.
pub(crate) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        Value::Nothing | Value::List(_) | Value::Section(_) => None,
    }
}

/// The items of a list.
pub(crate) fn items<'a>(node: &'a Node, what: &str, problems: &mut Vec<Problem>) -> &'a [Node] {
    match &node.value {
        Value::List(items) => items,
        Value::Nothing => &[],
        Value::Text(_) | Value::Section(_) => {
            problems.push(Problem::at(node.line, format!("`{what}` must be a list")));
            &[]
        }
    }
}

/// The members of a section, by name.
pub(crate) fn members<'a>(
    node: &'a Node,
    what: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(&'a str, &'a Node)> {
    match &node.value {
        Value::Section(members) => members
            .iter()
            .map(|member| (member.name.as_str(), &member.node))
            .collect(),
        Value::Nothing => Vec::new(),
        Value::Text(_) | Value::List(_) => {
            problems.push(Problem::at(
                node.line,
                format!("`{what}` must be a section"),
            ));
            Vec::new()
        }
    }
}

/// The sentence for a name that is not known, with the nearest one that is.
pub(crate) fn unknown(kind: &str, wrong: &str, known: &[&str]) -> String {
    match suggest::nearest(wrong, known) {
        Some(right) => format!("unknown {kind} `{wrong}`; did you mean `{right}`?"),
        None => format!("unknown {kind} `{wrong}`; known: {}", known.join(", ")),
    }
}
