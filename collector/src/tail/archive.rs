//! The text inside a `.gz`: read forward, by offsets of the uncompressed text. The only place that knows flate2.
//!
//! Rotated files are compressed by kubelet (one member) and by Docker (one member with an extra field); logrotate may
//! concatenate members. Going back means inflating from the start, which happens only after a restart.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;

/// How much is inflated at a time to get past what is not wanted, in bytes.
const SKIP_BYTES: usize = 16 * 1024;

/// A gzip file whose text is read by offset.
#[derive(Debug)]
pub struct Archive {
    file: File,
    decoder: Option<MultiGzDecoder<BufReader<File>>>,
    position: u64,
    /// Known once the end was reached.
    length: Option<u64>,
}

// === impl Archive ===

impl Archive {
    /// An archive that is not read yet.
    pub fn new(file: File) -> Self {
        Self {
            file,
            decoder: None,
            position: 0,
            length: None,
        }
    }

    /// Reads some of the text at `offset`; 0 at its end.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.length.is_some_and(|length| offset >= length) {
            return Ok(0);
        }
        if offset < self.position || self.decoder.is_none() {
            self.rewind()?;
        }
        let mut skipped = [0; SKIP_BYTES];
        while self.position < offset {
            let wanted = (offset - self.position).min(SKIP_BYTES as u64) as usize;
            if self.inflate(skipped.get_mut(..wanted).unwrap_or_default())? == 0 {
                return Ok(0);
            }
        }
        self.inflate(buffer)
    }

    /// The size of the text: what was inflated to the end, else what the trailer claims (RFC 1952: modulo 2^32).
    pub fn size(&mut self) -> io::Result<u64> {
        if let Some(length) = self.length {
            return Ok(length);
        }
        let compressed = self.file.metadata()?.len();
        let mut claim = [0; 4];
        if compressed >= 18 {
            self.file.read_exact_at(&mut claim, compressed - 4)?;
        }
        // Deflate can't compress by more than 1032 to 1, so a larger claim is a lie or a torn file.
        Ok(u64::from(u32::from_le_bytes(claim))
            .min(compressed * 1032)
            .max(self.position))
    }

    /// The compressed file.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn rewind(&mut self) -> io::Result<()> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        self.decoder = Some(MultiGzDecoder::new(BufReader::with_capacity(
            16 * 1024,
            file,
        )));
        self.position = 0;
        Ok(())
    }

    fn inflate(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(0);
        };
        let got = decoder.read(buffer)?;
        self.position += got as u64;
        if got == 0 && !buffer.is_empty() {
            self.length = Some(self.position);
            self.decoder = None;
        }
        Ok(got)
    }
}
