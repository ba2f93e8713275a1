//! How does a JSON text stay one? Its strings and numbers are looked at one by one, in what they mean, not how they
//! are spelt.

use super::Scrubber;
use record::document::escape;

/// Writes a JSON text without its secrets to `out`; whether there were any. The text must be JSON.
pub(super) fn scrub(text: &str, scrubber: &mut Scrubber, out: &mut String) -> bool {
    let mut walk = Walk {
        scrubber,
        changed: false,
        secret_member: None,
        value: String::new(),
        spare: String::new(),
        escaped: Vec::new(),
    };
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => rest
                .find(|char: char| !(char.is_ascii_alphanumeric() || "+-.".contains(char)))
                .unwrap_or(rest.len()),
            _ => rest
                .find(|char: char| char == '"' || char == '-' || char.is_ascii_digit())
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match first {
            b'"' if after.trim_ascii_start().starts_with(':') => walk.name(token, out),
            b'"' | b'-' | b'0'..=b'9' => walk.value(token, out),
            _ => walk.between(token, out),
        }
        rest = after;
    }
    walk.changed
}

struct Walk<'a> {
    scrubber: &'a mut Scrubber,
    changed: bool,
    /// The pattern that a member's name belongs to, until its value came.
    secret_member: Option<usize>,
    value: String,
    spare: String,
    escaped: Vec<u8>,
}

// === impl Walk ===

impl Walk<'_> {
    /// A member's name: it can have a secret too, and it can say that its value is one.
    fn name(&mut self, token: &str, out: &mut String) {
        self.string(token, out);
        self.secret_member = self.scrubber.by_name(&self.value);
    }

    fn value(&mut self, token: &str, out: &mut String) {
        if let Some(place) = self.secret_member.take()
            && token != "\"\""
            && !token.starts_with("\"[redacted:")
        {
            self.scrubber.hit(place, &mut self.value);
            self.write(out);
            return;
        }
        self.string(token, out);
    }

    /// Brackets, commas, words and white space. `null` is no secret, and what is in an object has names of its own.
    fn between(&mut self, token: &str, out: &mut String) {
        if token
            .bytes()
            .any(|byte| !byte.is_ascii_whitespace() && byte != b':')
        {
            self.secret_member = None;
        }
        out.push_str(token);
    }

    /// A string or a number; what it means is in `value` afterwards.
    fn string(&mut self, token: &str, out: &mut String) {
        self.value.clear();
        let inner = token
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match inner {
            Some(inner) if inner.contains('\\') => match serde_json::from_str::<String>(token) {
                Ok(meant) => self.value.push_str(&meant),
                Err(_) => self.value.push_str(inner),
            },
            Some(inner) => self.value.push_str(inner),
            None => self.value.push_str(token),
        }
        if self.scrubber.scrub(&mut self.value, &mut self.spare) {
            self.write(out);
        } else {
            out.push_str(token);
        }
    }

    /// Writes `value` as a string.
    fn write(&mut self, out: &mut String) {
        self.changed = true;
        self.escaped.clear();
        escape(&self.value, &mut self.escaped);
        out.push('"');
        out.push_str(&String::from_utf8_lossy(&self.escaped));
        out.push('"');
    }
}

/// The length of the string at the beginning, both quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}
