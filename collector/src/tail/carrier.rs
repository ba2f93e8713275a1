//! What carries the text: a plain file, or a gzip archive of one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::Archive;

/// An open file that carries a text.
#[derive(Debug)]
pub enum Carrier {
    /// The text itself.
    Plain(File),
    /// The text, compressed.
    Gzip(Box<Archive>),
}

// === impl Carrier ===

impl Carrier {
    /// Takes an open file as what its name says it is.
    pub fn new(file: File, gzip: bool) -> Self {
        if gzip {
            Self::Gzip(Box::new(Archive::new(file)))
        } else {
            Self::Plain(file)
        }
    }

    /// Fills `buffer` with the text from `offset` on; less than its length only at the text's present end.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let got = match self {
                Self::Plain(file) => file.read_at(rest, offset + filled as u64),
                Self::Gzip(archive) => archive.read_at(offset + filled as u64, rest),
            };
            match got {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// The size of the text, as far as it is known without reading it.
    pub fn size(&mut self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Gzip(archive) => archive.size(),
        }
    }

    /// The open file behind the text.
    pub fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(archive) => archive.file(),
        }
    }

    /// Whether the text is compressed.
    pub fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }
}
