//! What was written? Every line of one stream in order, and in which files its bytes stood.

use std::hash::{DefaultHasher, Hash, Hasher};

/// How much of a line is kept to name it in a report, in bytes.
const HEAD_BYTES: usize = 64;

/// One physical file that a writer made; numbered from 0 per stream.
pub type FileNumber = u32;

/// All lines of one stream, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    lines: Vec<Written>,
    deleted: Vec<FileNumber>,
}

/// One line as it was written; long lines are kept as a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The digest of its text.
    pub digest: u64,
    /// The head of its text.
    pub head: String,
    /// `stdout`, `stderr`, or empty.
    pub output: &'static str,
    /// The file of its first piece.
    pub first: FileNumber,
    /// The file of its last piece.
    pub last: FileNumber,
}

/// The digest by which texts are compared.
pub fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The first bytes of a text, cut at a character.
pub fn head(text: &str) -> String {
    let mut end = text.len().min(HEAD_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

// === impl Truth ===

impl Truth {
    /// Remembers a line whose first piece is in `file`; gives its place for [`Truth::ends_in`].
    pub fn wrote(&mut self, text: &str, output: &'static str, file: FileNumber) -> usize {
        self.lines.push(Written {
            digest: digest(text),
            head: head(text),
            output,
            first: file,
            last: file,
        });
        self.lines.len() - 1
    }

    /// The last piece of the line at `place` is in `file`.
    pub fn ends_in(&mut self, place: usize, file: FileNumber) {
        self.lines[place].last = file;
    }

    /// A file's name is gone: who never opened it can't read it.
    pub fn deleted(&mut self, file: FileNumber) {
        self.deleted.push(file);
    }

    /// Whether some bytes of `line` stood in a file that was deleted.
    pub fn was_deleted(&self, line: &Written) -> bool {
        self.deleted.contains(&line.first) || self.deleted.contains(&line.last)
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> &[Written] {
        &self.lines
    }
}
