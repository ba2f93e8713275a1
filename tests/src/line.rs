//! How does a runtime write a line? The bytes of CRI, of Docker's json-file, and of plain text.

use record::Timestamp;

use crate::seed::Random;

/// A runtime cuts a line into pieces of this many bytes (containerd and Docker: 16 KiB).
pub const PIECE_BYTES: usize = 16 * 1024;

/// How a writer frames its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `TIME stdout F TEXT`
    Cri,
    /// `{"log":"TEXT\n","stream":"stdout","time":"TIME"}`
    JsonFile,
    /// `TEXT`
    Text,
}

/// Which output a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

// === impl Output ===

impl Output {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A time as Go's `RFC3339Nano` writes it: zeros at the end of the fraction are left out.
pub fn go_time(nanos: i64) -> String {
    let text = Timestamp(nanos).to_string();
    let text = text
        .trim_end_matches('Z')
        .trim_end_matches('0')
        .trim_end_matches('.');
    format!("{text}Z")
}

/// Appends one framed piece of a line; `last` when the line ends with it.
pub fn frame(
    framing: Framing,
    nanos: i64,
    output: Output,
    text: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) {
    match framing {
        Framing::Cri => {
            out.extend_from_slice(go_time(nanos).as_bytes());
            out.push(b' ');
            out.extend_from_slice(output.as_str().as_bytes());
            out.extend_from_slice(if last { b" F " } else { b" P " });
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Framing::JsonFile => {
            let mut text = String::from_utf8_lossy(text).into_owned();
            if last {
                text.push('\n');
            }
            let log = serde_json::to_string(&text).expect("text is JSON");
            let (output, time) = (output.as_str(), go_time(nanos));
            out.extend_from_slice(
                format!("{{\"log\":{log},\"stream\":\"{output}\",\"time\":\"{time}\"}}\n")
                    .as_bytes(),
            );
        }
        Framing::Text => {
            out.extend_from_slice(text);
            if last {
                out.push(b'\n');
            }
        }
    }
}

/// The text of a line: its number first, for people, then its stream and filler of chance; at least `bytes` long.
pub fn text(stream: &str, number: u64, bytes: usize, random: &mut Random) -> String {
    const WORDS: [&str; 12] = [
        "order",
        "timeout",
        "Größe",
        "INFO",
        "retry=3",
        "\"quoted\"",
        "\\path",
        "ERROR",
        "ok",
        "日本",
        "id=",
        "{a:1}",
    ];
    let mut text = format!("n={number} s={stream}");
    while text.len() < bytes {
        text.push(' ');
        text.push_str(WORDS[random.below(WORDS.len() as u64) as usize]);
        if random.once_in(3) {
            text.push_str(&random.number().to_string());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(framing: Framing, last: bool, expect: &str) {
        let mut out = Vec::new();
        frame(
            framing,
            1_500_000_000,
            Output::Stderr,
            b"a \"b\"",
            last,
            &mut out,
        );
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    #[test]
    fn lines_look_as_runtimes_write_them() {
        check(
            Framing::Cri,
            true,
            "1970-01-01T00:00:01.5Z stderr F a \"b\"\n",
        );
        check(
            Framing::Cri,
            false,
            "1970-01-01T00:00:01.5Z stderr P a \"b\"\n",
        );
        check(
            Framing::JsonFile,
            true,
            "{\"log\":\"a \\\"b\\\"\\n\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:01.5Z\"}\n",
        );
        check(
            Framing::JsonFile,
            false,
            "{\"log\":\"a \\\"b\\\"\",\"stream\":\"stderr\",\"time\":\"1970-01-01T00:00:01.5Z\"}\n",
        );
        check(Framing::Text, true, "a \"b\"\n");
        check(Framing::Text, false, "a \"b\"");
        assert_eq!(go_time(0), "1970-01-01T00:00:00Z");
        assert_eq!(go_time(10_000_000_000), "1970-01-01T00:00:10Z");
    }
}
