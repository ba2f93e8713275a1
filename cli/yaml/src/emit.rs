//! How is a tree written? As block YAML that people and programs read alike, or as JSON.
//!
//! Texts that YAML 1.1 readers (Prometheus, Kubernetes) could take for anything but a text are quoted.

use crate::document::{Member, Node, Value};

/// Words that some reader of YAML takes for a truth value or for nothing.
const WORDS: [&str; 11] = [
    "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf",
];

// === impl Node ===

impl Node {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            line: 0,
            value: Value::Text(text.into()),
        }
    }

    /// A list.
    pub fn list(items: Vec<Self>) -> Self {
        Self {
            line: 0,
            value: Value::List(items),
        }
    }

    /// A section, its keys in the order given.
    pub fn section<K: Into<String>>(members: impl IntoIterator<Item = (K, Self)>) -> Self {
        let member = |(name, node): (K, Self)| Member {
            line: 0,
            name: name.into(),
            node,
        };
        Self {
            line: 0,
            value: Value::Section(members.into_iter().map(member).collect()),
        }
    }
}

/// The tree in YAML's block style, with a newline at its end.
pub fn block(node: &Node) -> String {
    let mut out = String::new();
    write(node, 0, &mut out);
    out
}

/// The tree as JSON on one line; every scalar is a string.
pub fn json(node: &Node) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match &node.value {
        Value::Nothing => "null".to_owned(),
        Value::Text(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Section(members) => {
            let member =
                |member: &Member| format!("{}:{}", quoted(&member.name), json(&member.node));
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// Writes a node that stands at the beginning of a line.
fn write(node: &Node, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&indent);
                out.push_str("- ");
                beside(item, depth + 1, true, out);
            }
        }
        Value::Section(members) if !members.is_empty() => {
            for member in members {
                out.push_str(&indent);
                out.push_str(&scalar(&member.name));
                out.push(':');
                beside(&member.node, depth + 1, false, out);
            }
        }
        Value::Nothing | Value::Text(_) | Value::List(_) | Value::Section(_) => {
            out.push_str(&indent);
            beside(node, depth, true, out);
        }
    }
}

/// Writes a node after a dash (`dashed`) or a colon.
fn beside(node: &Node, depth: usize, dashed: bool, out: &mut String) {
    let space = if dashed { "" } else { " " };
    match &node.value {
        Value::List(items) if !items.is_empty() => {
            if dashed {
                let mut inner = String::new();
                write(node, depth, &mut inner);
                out.push_str(inner.trim_start());
            } else {
                out.push('\n');
                write(node, depth, out);
            }
        }
        Value::Section(members) if !members.is_empty() => {
            let mut inner = String::new();
            write(node, depth, &mut inner);
            if dashed {
                out.push_str(inner.trim_start());
            } else {
                out.push('\n');
                out.push_str(&inner);
            }
        }
        Value::Text(text) if is_block(text) => {
            out.push_str(space);
            out.push_str("|-\n");
            for line in text.lines() {
                out.push_str(&"  ".repeat(depth.max(1)));
                out.push_str(line);
                out.push('\n');
            }
        }
        Value::Text(text) => {
            out.push_str(space);
            out.push_str(&scalar(text));
            out.push('\n');
        }
        Value::Nothing => {
            out.push_str(space);
            out.push_str("~\n");
        }
        Value::List(_) => {
            out.push_str(space);
            out.push_str("[]\n");
        }
        Value::Section(_) => {
            out.push_str(space);
            out.push_str("{}\n");
        }
    }
}

/// From this length on, in bytes, a text that would need escapes within quotes stands below `|-`.
const LONG_BYTES: usize = 40;

/// Whether a text of several lines, or a long one with quotes in it, can stand as it is, below `|-`.
fn is_block(text: &str) -> bool {
    let clean = |line: &str| {
        !line.is_empty() && !line.ends_with(' ') && line.chars().all(|c| !c.is_control())
    };
    (text.contains('\n') || text.len() >= LONG_BYTES && text.contains('"'))
        && !text.starts_with(' ')
        && !text.ends_with('\n')
        && text.split('\n').all(clean)
        && !text.contains(['\u{feff}', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// A text on one line: as it is where nobody can take it for anything else, in quotes otherwise.
fn scalar(text: &str) -> String {
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        || text
            .strip_suffix(['s', 'm', 'h', 'd', 'w'])
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./+*();,<>=' ".contains(c);
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if begins_plain && !is_word && !text.ends_with(' ') && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        // Every JSON string is a double-quoted YAML scalar (YAML 1.2, section 7.3.1).
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::read;

    fn check(node: &Node, expect: &str) {
        assert_eq!(block(node), expect);
    }

    #[test]
    fn a_tree_is_written_as_people_write_it() {
        let rule = Node::section([
            ("alert", Node::text("Full")),
            ("expr", Node::text("a\n  > 1")),
            ("for", Node::text("5m")),
            (
                "labels",
                Node::section([("severity", Node::text("no")), ("times", Node::text("3"))]),
            ),
        ]);
        let file = Node::section([(
            "groups",
            Node::list(vec![Node::section([
                ("name", Node::text("x")),
                ("rules", Node::list(vec![rule])),
            ])]),
        )]);
        check(
            &file,
            "groups:\n  - name: x\n    rules:\n      - alert: Full\n        expr: |-\n          a\n            > 1\n        \
             for: 5m\n        labels:\n          severity: \"no\"\n          times: \"3\"\n",
        );
        assert_eq!(
            json(&Node::section([("a", Node::list(vec![Node::text("b\"")]))])),
            r#"{"a":["b\""]}"#
        );
    }

    #[test]
    fn nothing_is_written_as_nothing() {
        check(&Node::list(Vec::new()), "[]\n");
        check(
            &Node::section([
                ("a", Node::section::<String>([])),
                ("b", Node::list(vec![])),
            ]),
            "a: {}\nb: []\n",
        );
    }

    fn without_lines(mut node: Node) -> Node {
        node.line = 0;
        match &mut node.value {
            Value::Nothing | Value::Text(_) => {}
            Value::List(items) => *items = items.drain(..).map(without_lines).collect(),
            Value::Section(members) => {
                for member in members {
                    member.line = 0;
                    member.node = without_lines(member.node.clone());
                }
            }
        }
        node
    }

    fn tree() -> impl Strategy<Value = Node> {
        let text = "[-a-z0-9:\\[\\]{}&*|>'\"%#,\n\t ~?$/<]{0,12}|yes|1m|\\PC{0,6}";
        let leaf = text.prop_map(Node::text);
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Node::list),
                prop::collection::btree_map("[a-z .:#-]{1,6}", inner, 0..4).prop_map(Node::section),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(node in tree()) {
            let text = block(&node);
            let again = read(&text).map_err(|problems| TestCaseError::fail(format!("{problems}\n{text}")))?;
            prop_assert_eq!(without_lines(again), node, "{}", text);
        }
    }
}
