//! What does the file say, and on which line? YAML as a tree in which every node knows its line.
//!
//! Only what a configuration needs is accepted: one document of mappings, lists and scalars. Aliases are refused (they
//! let a small file stand for a huge one), and so are duplicate keys (the reader would believe the wrong one).

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::problem::{Problem, Problems};

/// The largest configuration that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
const DEPTH_MAX: usize = 16;

/// One value of the file, with the line (from 1) on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub value: Value,
}

/// What stands at a place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Nothing,
    /// A scalar as it was written, without its quotes.
    Text(String),
    /// `- a` or `[a]`
    List(Vec<Node>),
    /// `key: value`
    Section(Vec<Member>),
}

/// One `key: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The line of the key, from 1.
    pub line: usize,
    /// The key.
    pub name: String,
    /// What it is set to.
    pub node: Node,
}

/// Reads a YAML text; an empty one is [`Value::Nothing`].
pub fn read(text: &str) -> Result<Node, Problems> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Problem::whole("the file is larger than 1 MiB").into());
    }
    let mut builder = Builder::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Problem::at(error.marker().line(), format!("not YAML: {}", error.info()))
        })?;
        let line = span.start.line();
        match event {
            Event::DocumentStart(_) => documents += 1,
            Event::Alias(_) => {
                return Err(Problem::at(line, "aliases (`*name`) are not supported").into());
            }
            Event::Scalar(text, style, _, _) => builder.value(line, scalar(&text, style))?,
            Event::SequenceStart(..) => builder.open(line, Value::List(Vec::new()))?,
            Event::MappingStart(..) => builder.open(line, Value::Section(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        if documents > 1 {
            return Err(Problem::at(line, "only one YAML document is allowed").into());
        }
    }
    builder.finish()
}

// === impl Node ===

impl Node {
    /// The value in YAML's flow style, on one line.
    pub fn flow(&self) -> String {
        match &self.value {
            Value::Nothing => "~".to_owned(),
            Value::Text(text) => flow_text(text),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Section(members) => {
                let member = |member: &Member| {
                    format!("{}: {}", flow_text(&member.name), member.node.flow())
                };
                let members: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }
}

/// As it is where nobody can take it for anything else, in quotes otherwise.
fn flow_text(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./* ".contains(c);
    let begins_plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    let is_nothing = matches!(text, "null" | "Null" | "NULL");
    if begins_plain && !text.ends_with(' ') && !is_nothing && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        // Every JSON string is a double-quoted YAML scalar (YAML 1.2, section 7.3.1).
        serde_json::Value::from(text).to_string()
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Value::Nothing
    } else {
        Value::Text(text.to_owned())
    }
}

/// Puts parser events together; its depth is bounded, so that dropping and walking the tree is safe.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
}

struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<(usize, String)>,
}

// === impl Builder ===

impl Builder {
    fn open(&mut self, line: usize, value: Value) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Problem::at(
                line,
                format!("nested deeper than {DEPTH_MAX} levels"),
            ));
        }
        if let Some(Open {
            node: Node {
                value: Value::Section(_),
                ..
            },
            key: None,
        }) = self.open.last()
        {
            return Err(Problem::at(line, "a key must be a plain word"));
        }
        self.open.push(Open {
            node: Node { line, value },
            key: None,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        match self.open.pop() {
            Some(Open { node, .. }) => self.value(node.line, node.value),
            None => Ok(()),
        }
    }

    fn value(&mut self, line: usize, value: Value) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(Node { line, value });
            return Ok(());
        };
        match &mut open.node.value {
            Value::List(items) => items.push(Node { line, value }),
            Value::Section(members) => match (open.key.take(), value) {
                (Some((key_line, name)), value) => {
                    if let Some(first) = members.iter().find(|member| member.name == name) {
                        self.problems.push(Problem::at(
                            key_line,
                            format!("`{name}` is already set on line {}", first.line),
                        ));
                    }
                    members.push(Member {
                        line: key_line,
                        name,
                        node: Node { line, value },
                    });
                }
                (None, Value::Text(name)) => open.key = Some((line, name)),
                (None, Value::Nothing | Value::List(_) | Value::Section(_)) => {
                    return Err(Problem::at(line, "a key must be a plain word"));
                }
            },
            Value::Nothing | Value::Text(_) => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Node, Problems> {
        if self.problems.is_empty() {
            Ok(self.root.unwrap_or(Node {
                line: 1,
                value: Value::Nothing,
            }))
        } else {
            Err(Problems::new(self.problems))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), expect, "{text}");
    }

    #[test]
    fn what_is_not_a_configuration_is_refused_with_its_line() {
        check(
            "a: 1\nb: *x\n",
            "line 2: not YAML: while parsing node, found unknown anchor",
        );
        check(
            "a: &x 1\nb: *x\n",
            "line 2: aliases (`*name`) are not supported",
        );
        check("a: 1\nb: 2\na: 3\n", "line 3: `a` is already set on line 1");
        check(
            "---\na: 1\n---\nb: 1\n",
            "line 3: only one YAML document is allowed",
        );
        check("a: 1\n[x]: 2\n", "line 2: a key must be a plain word");
        check(&"[".repeat(17), "line 1: nested deeper than 16 levels");
        check(
            &" ".repeat(TEXT_BYTES_MAX + 1),
            "the file is larger than 1 MiB",
        );
    }

    #[test]
    fn a_file_of_comments_says_nothing() {
        assert_eq!(read("# only\n# comments\n").unwrap().value, Value::Nothing);
        assert_eq!(read("").unwrap().value, Value::Nothing);
    }

    fn lines_forgotten(node: &mut Node) {
        node.line = 0;
        match &mut node.value {
            Value::Nothing | Value::Text(_) => {}
            Value::List(items) => items.iter_mut().for_each(lines_forgotten),
            Value::Section(members) => {
                for member in members {
                    member.line = 0;
                    lines_forgotten(&mut member.node);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_flow_style_says_the_same(text in "[-:\\[\\]{}&*|>'\"%#,a\n ~?$/]{0,80}") {
            let Ok(mut first) = read(&text) else { return Ok(()) };
            lines_forgotten(&mut first);
            let mut second = read(&first.flow()).unwrap();
            lines_forgotten(&mut second);
            prop_assert_eq!(first, second);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-:\\[\\]{}&*!|>'\"%#,a\n\t ~?]{0,200}") {
            drop(read(&text));
        }
    }
}
