//! Does a line continue the stack trace before it?
//!
//! One small machine for each runtime, fed with every line of an output; `auto` feeds all of them. They look at a line's
//! beginning and little else, so that a line costs the same however long its group is.

use memchr::memmem;
use record::Level;

use super::Preset;

/// What the lines of a group so far were.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    preset: Preset,
    /// The group's first line is a log line of at least `warn`: a trace may follow it.
    grave: bool,
    python: Python,
    go: Go,
    node: Node,
    /// The first line is a header of .NET's console logger: its message follows, indented.
    dotnet_header: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Python {
    #[default]
    Outside,
    /// After `Traceback …:`, among the frames.
    Frames,
    /// After the exception.
    Raised,
    /// After the sentence that joins two traces.
    Chained,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Go {
    #[default]
    Outside,
    Stack,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Node {
    #[default]
    Outside,
    /// After `/path/file.js:3`, in the printed source.
    Source,
    /// After an error or a frame.
    Stack,
    /// In the printed properties of an error.
    Properties,
}

// === impl Trace ===

impl Trace {
    /// A group begins with this line of this level.
    pub(super) fn begin(preset: Preset, line: &[u8], level: Level) -> Self {
        let mut python = Python::Outside;
        if is_traceback(line) {
            python = Python::Frames;
        }
        let go = if [b"panic: ".as_slice(), b"fatal error: ", b"goroutine "]
            .iter()
            .any(|start| line.starts_with(start))
        {
            Go::Stack
        } else {
            Go::Outside
        };
        let node = if is_node_source(line) {
            Node::Source
        } else if is_node_error(line) {
            if line.ends_with(b"{") {
                Node::Properties
            } else {
                Node::Stack
            }
        } else {
            Node::Outside
        };
        Self {
            preset,
            grave: level >= Level::Warn,
            python,
            go,
            node,
            dotnet_header: is_dotnet_header(line),
        }
    }

    /// Whether this line continues the group; if so it is part of it from now on.
    pub(super) fn continues(&mut self, line: &[u8]) -> bool {
        match self.preset {
            Preset::Java => self.java(line),
            Preset::Python => self.python(line),
            Preset::Go => self.go(line),
            Preset::Node => self.node(line),
            Preset::Dotnet => self.dotnet(line),
            // Each machine sees each line, whatever the others say.
            Preset::Auto => {
                let found = [
                    self.java(line),
                    self.python(line),
                    self.go(line),
                    self.node(line),
                    self.dotnet(line),
                ];
                found.contains(&true)
            }
        }
    }

    fn java(self, line: &[u8]) -> bool {
        let (indent, text) = indented(line);
        let starts = |starts: &[&[u8]]| starts.iter().any(|start| text.starts_with(start));
        starts(&[b"Caused by: ", b"Wrapped by: "])
            || indent > 0
                && starts(&[
                    b"at ",
                    b"... ",
                    b"Suppressed: ",
                    b"- locked ",
                    b"- waiting ",
                ])
            || indent == 0 && self.grave && is_exception(line)
    }

    fn python(&mut self, line: &[u8]) -> bool {
        let (indent, text) = indented(line);
        let next = match self.python {
            Python::Outside if self.grave && is_traceback(line) => Python::Frames,
            // The last line of an exception group is a rule.
            Python::Frames if indent > 0 && is_rule(text) => Python::Raised,
            Python::Frames if indent > 0 && !text.is_empty() => Python::Frames,
            Python::Frames if is_python_exception(line) => Python::Raised,
            Python::Raised if is_python_chain(line) => Python::Chained,
            Python::Raised if text.is_empty() => Python::Raised,
            Python::Raised if indent > 0 && !is_traceback(line) => Python::Raised,
            Python::Chained if text.is_empty() => Python::Chained,
            Python::Chained if is_traceback(line) => Python::Frames,
            Python::Outside | Python::Frames | Python::Raised | Python::Chained => return false,
        };
        self.python = next;
        true
    }

    fn go(&mut self, line: &[u8]) -> bool {
        let starts = |starts: &[&[u8]]| starts.iter().any(|start| line.starts_with(start));
        match self.go {
            Go::Outside if self.grave && is_goroutine(line) => self.go = Go::Stack,
            Go::Outside => return false,
            Go::Stack => {
                let continued = line.is_empty()
                    || starts(&[
                        b"\t",
                        b"goroutine ",
                        b"created by ",
                        b"[signal ",
                        b"exit status ",
                    ])
                    || starts(&[b"runtime stack:", b"..."])
                    || is_go_call(line)
                    || is_go_register(line);
                if !continued {
                    return false;
                }
            }
        }
        true
    }

    fn node(&mut self, line: &[u8]) -> bool {
        let (indent, text) = indented(line);
        let opens = line.ends_with(b"{");
        if indent > 0 && text.starts_with(b"at ") {
            // The frames of a cause stand among the properties.
            let inside = opens || self.node == Node::Properties;
            self.node = if inside {
                Node::Properties
            } else {
                Node::Stack
            };
            return true;
        }
        let next = match self.node {
            Node::Source if is_node_error(line) => {
                if opens {
                    Node::Properties
                } else {
                    Node::Stack
                }
            }
            Node::Source if indent > 0 || text.is_empty() || text.starts_with(b"^") => Node::Source,
            Node::Source if text.starts_with(b"throw ") => Node::Source,
            Node::Properties if text == b"}" && indent == 0 => Node::Stack,
            Node::Properties if indent > 0 || text.starts_with(b"}") => Node::Properties,
            Node::Stack if text.is_empty() => Node::Stack,
            Node::Stack if line.starts_with(b"Node.js v") => Node::Outside,
            Node::Stack if indent > 0 && text.starts_with(b"[cause]: ") => Node::Properties,
            Node::Outside | Node::Source | Node::Properties | Node::Stack => return false,
        };
        self.node = next;
        true
    }

    fn dotnet(self, line: &[u8]) -> bool {
        const HEADER_INDENT: usize = 6;
        let (indent, text) = indented(line);
        let starts = |starts: &[&[u8]]| starts.iter().any(|start| text.starts_with(start));
        starts(&[b"--- End of ", b"---> "])
            || indent > 0 && starts(&[b"at "])
            || indent == 0 && self.grave && is_exception(line)
            || indent >= HEADER_INDENT && self.dotnet_header
    }
}

/// How far a line is indented, and the rest of it.
fn indented(line: &[u8]) -> (usize, &[u8]) {
    let text = line.trim_ascii_start();
    (line.len() - text.len(), text)
}

/// `com.example.SomeException: …` or `System.IO.IOException`: a qualified class name, alone or before a colon.
fn is_exception(line: &[u8]) -> bool {
    const NAME_BYTES_MAX: usize = 256;
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'_' | b'$');
    let length = line.iter().take(NAME_BYTES_MAX).take_while(is_name).count();
    let Some((name, after)) = line.split_at_checked(length) else {
        return false;
    };
    let ends = [b"Exception".as_slice(), b"Error", b"Throwable", b"Failure"];
    matches!(after.first(), None | Some(b':'))
        && name.contains(&b'.')
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && ends.iter().any(|end| name.ends_with(end))
}

/// `Traceback (most recent call last):`, also that of an exception group.
fn is_traceback(line: &[u8]) -> bool {
    let marks = |byte: &&u8| matches!(**byte, b' ' | b'+' | b'|' | b'-' | b'\t');
    let indent = line.iter().take(64).take_while(marks).count();
    let text = line.get(indent..).unwrap_or_default();
    let text = text.strip_prefix(b"Exception Group ").unwrap_or(text);
    text.starts_with(b"Traceback (most recent call last):")
}

/// `+------------------------------------`
fn is_rule(text: &[u8]) -> bool {
    text.starts_with(b"+--") && text.iter().all(|byte| matches!(byte, b'+' | b'-'))
}

/// `ValueError: …`, `pkg.mod.Error`, `KeyboardInterrupt`: what was raised.
fn is_python_exception(line: &[u8]) -> bool {
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b'_');
    let length = line.iter().take(256).take_while(is_name).count();
    let after = line.get(length..).unwrap_or_default();
    length > 0
        && !line.first().is_some_and(u8::is_ascii_digit)
        && matches!(after.first(), None | Some(b':'))
}

fn is_python_chain(line: &[u8]) -> bool {
    line.starts_with(b"During handling of the above exception, another exception occurred:")
        || line.starts_with(b"The above exception was the direct cause of the following exception:")
}

/// `goroutine 1 [running]:`
fn is_goroutine(line: &[u8]) -> bool {
    let rest = line.strip_prefix(b"goroutine ").unwrap_or_default();
    rest.first().is_some_and(u8::is_ascii_digit) && rest.ends_with(b"]:")
}

/// `main.(*T).run(0xc000, 0x1)`: no space before the arguments.
fn is_go_call(line: &[u8]) -> bool {
    let open = line
        .iter()
        .take(512)
        .position(|byte| matches!(byte, b'(' | b' '));
    line.ends_with(b")") && open.is_some_and(|open| open > 0 && line.get(open) == Some(&b'('))
}

/// `rax    0x0`: the registers that a signal prints.
fn is_go_register(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let (indent, value) = indented(line.get(name..).unwrap_or_default());
    (2..=6).contains(&name) && indent > 0 && value.starts_with(b"0x") && value.len() <= 18
}

/// `/app/index.js:3` or `node:internal/modules/cjs/loader:1080`, which comes before the source of an uncaught error.
fn is_node_source(line: &[u8]) -> bool {
    let digits = line
        .iter()
        .rev()
        .take(9)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let Some((path, _)) = line.split_at_checked(line.len() - digits) else {
        return false;
    };
    let scripts = [b".js:".as_slice(), b".mjs:", b".cjs:", b".ts:"];
    digits > 0
        && !path.contains(&b' ')
        && (scripts.iter().any(|end| path.ends_with(end))
            || path.starts_with(b"node:") && path.ends_with(b":"))
}

/// `TypeError: …`, `Uncaught Error: …`, `Error [CODE]: …`
fn is_node_error(line: &[u8]) -> bool {
    let text = line.strip_prefix(b"Uncaught ").unwrap_or(line);
    let name = text
        .iter()
        .take(64)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let (name, after) = text.split_at_checked(name).unwrap_or_default();
    name.ends_with(b"Error") && matches!(after, [] | [b':', ..] | [b' ', b'[' | b'{', ..])
}

/// `fail: Category[0]`: the header that .NET's console logger prints on a line of its own.
fn is_dotnet_header(line: &[u8]) -> bool {
    let levels = [
        b"trce: ".as_slice(),
        b"dbug: ",
        b"info: ",
        b"warn: ",
        b"fail: ",
        b"crit: ",
    ];
    // A terminal's colours may stand before and within the word.
    let start = line.get(..24).unwrap_or(line);
    levels.iter().any(|level| line.starts_with(level))
        || (line.starts_with(b"\x1b[") && memmem::find(start, b"\x1b[39m").is_some())
}

#[cfg(test)]
mod tests;
