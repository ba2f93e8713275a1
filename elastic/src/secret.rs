//! A text that is never shown, and that may change while we run.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A password or key: itself, or the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The text.
    Text(String),
    /// A file with the text; one line end is dropped. It is read anew whenever the cluster refuses us.
    File(PathBuf),
}

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("read secret file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is empty or holds what no header can carry.
    #[error("secret file {} must hold one line of text", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

// === impl Secret ===

impl Secret {
    /// The text as it is now.
    pub fn reveal(&self) -> Result<String, SecretError> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let text = fs::read_to_string(path).map_err(|source| SecretError::Read {
            path: path.clone(),
            source,
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(SecretError::Malformed { path: path.clone() });
        }
        Ok(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_each_time_and_never_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one\n").unwrap();
        let secret = Secret::File(path.clone());
        assert_eq!(secret.reveal().unwrap(), "one");
        fs::write(&path, "two").unwrap();
        assert_eq!(secret.reveal().unwrap(), "two");
        fs::write(&path, "\n").unwrap();
        assert!(matches!(
            secret.reveal(),
            Err(SecretError::Malformed { .. })
        ));
        fs::write(&path, "a\nb\n").unwrap();
        assert!(matches!(
            secret.reveal(),
            Err(SecretError::Malformed { .. })
        ));
        assert!(!format!("{:?}", Secret::Text("hush".into())).contains("hush"));
    }
}
