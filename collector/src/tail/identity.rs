//! Which text is it? What the beginning of a file says, and whether two files say the same.

use std::io;

use memchr::memchr;

use super::Carrier;

/// A first line longer than this is taken as ending here, in bytes: it identifies the file well enough.
const FIRST_LINE_BYTES_MAX: usize = 128 * 1024;
/// How much is looked at first, in bytes.
const FIRST_LOOK_BYTES: usize = 4 * 1024;
/// How much of two texts is compared at most, in bytes.
const COMPARED_BYTES_MAX: u64 = 1 << 20;

/// The first line of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstLine {
    /// It is complete, given without its newline.
    Complete(Vec<u8>),
    /// Its newline has not been written yet; what there is of it.
    Incomplete(Vec<u8>),
}

/// Reads the first line of a text. NULs before it are no part of it.
pub fn first_line(carrier: &mut Carrier) -> io::Result<FirstLine> {
    let mut wanted = FIRST_LOOK_BYTES;
    loop {
        let mut head = vec![0; wanted];
        let filled = carrier.read_at(0, &mut head)?;
        head.truncate(filled);
        let nuls = head.iter().take_while(|byte| **byte == 0).count();
        if nuls < head.len() {
            head.drain(..nuls);
        }
        if let Some(length) = memchr(b'\n', &head) {
            head.truncate(length);
            return Ok(FirstLine::Complete(head));
        }
        if filled < wanted {
            return Ok(FirstLine::Incomplete(head));
        }
        if wanted >= FIRST_LINE_BYTES_MAX {
            return Ok(FirstLine::Complete(head));
        }
        wanted = FIRST_LINE_BYTES_MAX;
    }
}

/// Whether two texts agree as far as both go, compared up to 1 MiB.
pub fn same_text(one: &mut Carrier, other: &mut Carrier) -> io::Result<bool> {
    let mut offset = 0;
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    while offset < COMPARED_BYTES_MAX {
        let both = one
            .read_at(offset, &mut left)?
            .min(other.read_at(offset, &mut right)?);
        if left.get(..both) != right.get(..both) {
            return Ok(false);
        }
        if both < left.len() {
            break;
        }
        offset += both as u64;
    }
    Ok(true)
}
