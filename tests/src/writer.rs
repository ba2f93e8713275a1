//! Who writes a log? One container with its runtime (or a program with a file), which remembers all it wrote.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::line::{Framing, Output, PIECE_BYTES, frame, text};
use crate::seed::Random;
use crate::truth::{FileNumber, Truth};

/// Where a writer's files are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of all its files.
    pub directory: PathBuf,
    /// The file it writes to now.
    pub live: PathBuf,
    /// The `log.stream` that readers are to give it.
    pub stream: String,
}

/// Writes one stream's log and knows the truth about it.
#[derive(Debug)]
pub struct Writer {
    pub(crate) place: Place,
    pub(crate) framing: Framing,
    pub(crate) random: Random,
    pub(crate) truth: Truth,
    /// The runtime's descriptor: it goes on writing to a renamed or deleted file until it reopens.
    pub(crate) file: Option<File>,
    pub(crate) number: FileNumber,
    pub(crate) next_number: FileNumber,
    /// Files of this instance that were set aside and still have a name, oldest first.
    pub(crate) rotated: Vec<(PathBuf, FileNumber)>,
    /// Files of earlier instances that still have a name.
    pub(crate) ended: Vec<(PathBuf, FileNumber)>,
    /// The node's clock in rotated names goes on by at least a second per rotation, however fast a test rotates.
    pub(crate) rotation_seconds: i64,
    pub(crate) restart: u32,
    lines: u64,
    last_time: i64,
    clock_shift: i64,
    clock_jumped: bool,
    written: u64,
    long_lines: bool,
    /// The line in pieces: its place in the truth and its output, which is silent until the line ends.
    open_line: Option<(usize, Output)>,
    /// The time of the line's first piece.
    line_time: Option<i64>,
    buffer: Vec<u8>,
}

// === impl Writer ===

impl Writer {
    /// A writer that makes its file with the first byte.
    pub fn new(place: Place, framing: Framing, random: Random) -> Self {
        Self {
            place,
            framing,
            random,
            truth: Truth::default(),
            file: None,
            number: 0,
            next_number: 0,
            rotated: Vec::new(),
            ended: Vec::new(),
            rotation_seconds: 0,
            restart: 0,
            lines: 0,
            last_time: 0,
            clock_shift: 0,
            clock_jumped: false,
            written: 0,
            long_lines: true,
            open_line: None,
            line_time: None,
            buffer: Vec::new(),
        }
    }

    /// Never writes lines longer than a piece by chance.
    #[must_use]
    pub fn short(mut self) -> Self {
        self.long_lines = false;
        self
    }

    /// The stream's name in documents.
    pub fn stream(&self) -> &str {
        &self.place.stream
    }

    /// The pod's uid, for a container of a pod.
    pub fn uid(&self) -> &str {
        self.place.stream.split('/').next().unwrap_or_default()
    }

    /// The file that has the live name.
    pub fn live(&self) -> &Path {
        &self.place.live
    }

    /// Rotated files that still have a name, oldest first.
    pub fn rotated(&self) -> Vec<PathBuf> {
        self.rotated.iter().map(|(path, _)| path.clone()).collect()
    }

    /// What was written.
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// How many lines were written.
    pub fn count(&self) -> usize {
        self.truth.lines().len()
    }

    /// How many raw bytes were written, framing included.
    pub fn bytes(&self) -> u64 {
        self.written
    }

    /// Sets the clock of further lines to so many nanoseconds off the machine's.
    pub fn shift_clock(&mut self, nanos: i64) {
        self.clock_shift = nanos;
        self.last_time = 0;
        self.clock_jumped = true;
    }

    /// Whether lines bear times that went back.
    pub fn clock_jumped(&self) -> bool {
        self.clock_jumped
    }

    /// Writes `count` lines of chance: both outputs, many lengths, now and then one in several pieces.
    pub fn lines(&mut self, count: usize) {
        for _ in 0..count {
            let long = self.long_lines && self.random.once_in(200);
            let bytes = if long {
                self.random
                    .between(PIECE_BYTES as u64, 3 * PIECE_BYTES as u64)
            } else if self.random.once_in(10) {
                self.random.between(200, 2000)
            } else {
                self.random.between(0, 160)
            };
            let text = self.text(bytes as usize);
            let output = match self.open_line {
                Some((_, Output::Stdout)) => Output::Stderr,
                None if self.random.once_in(4) => Output::Stderr,
                Some((_, Output::Stderr)) | None => Output::Stdout,
            };
            self.queue(output, &text);
            // Runtimes write line by line; a few lines in one write keep the suite quick.
            if self.buffer.len() > 4096 || self.random.once_in(8) {
                self.flush();
            }
        }
        self.flush();
    }

    /// Writes at least so many bytes in lines of chance.
    pub fn fill(&mut self, bytes: u64) {
        let end = self.written + bytes;
        while self.written < end {
            self.lines(8);
        }
    }

    /// How many lines come at once: mostly few, now and then a burst.
    pub fn random_lines(&mut self) -> usize {
        let most = if self.random.once_in(20) { 200 } else { 10 };
        self.random.between(1, most) as usize
    }

    /// The text of the next line of chance.
    pub fn text(&mut self, bytes: usize) -> String {
        self.lines += 1;
        text(&self.place.stream, self.lines, bytes, &mut self.random)
    }

    /// Writes one line.
    pub fn line(&mut self, output: Output, text: &str) {
        self.queue(output, text);
        self.flush();
    }

    /// Writes one line to standard output.
    pub fn say(&mut self, text: &str) {
        self.line(Output::Stdout, text);
    }

    /// Begins a line in pieces: the truth has all of `text` at once, the file only the piece `written`.
    pub fn begin(&mut self, output: Output, text: &str, written: &str) {
        self.ensure_open();
        let name = self.output_name(output);
        self.open_line = Some((self.truth.wrote(text, name, self.number), output));
        self.piece(output, written, false);
    }

    /// Writes a further piece of the begun line; `last` ends it.
    pub fn piece(&mut self, output: Output, text: &str, last: bool) {
        self.ensure_open();
        let time = self.piece_time();
        frame(
            self.framing,
            time,
            output,
            text.as_bytes(),
            last,
            &mut self.buffer,
        );
        self.flush();
        if let Some((place, _)) = self.open_line {
            self.truth.ends_in(place, self.number);
        }
        if last {
            self.open_line = None;
            self.line_time = None;
        }
    }

    /// Writes bytes as they are; `expect` are the messages that a reader is to find in them.
    pub fn raw(&mut self, bytes: &[u8], expect: &[(&str, &'static str)]) {
        self.ensure_open();
        for (text, output) in expect {
            self.truth.wrote(text, output, self.number);
        }
        self.buffer.extend_from_slice(bytes);
        self.flush();
    }

    /// The time of the next line: the machine's clock with its shift, never twice the same.
    pub fn time(&mut self) -> i64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_nanos() as i64);
        self.last_time = (now + self.clock_shift).max(self.last_time + 1);
        self.last_time
    }

    /// Opens the live name anew, as a runtime does on `ReopenContainerLog`.
    pub fn reopen(&mut self) {
        self.flush();
        fs::create_dir_all(&self.place.directory).expect("make a log's folder");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.place.live)
            .expect("open a live log");
        self.file = Some(file);
        self.number = self.next_number;
        self.next_number += 1;
    }

    /// Closes the file, as the runtime of a container that ended does.
    pub fn close(&mut self) {
        self.flush();
        self.open_line = None;
        self.file = None;
    }

    fn queue(&mut self, output: Output, text: &str) {
        self.ensure_open();
        let name = self.output_name(output);
        self.truth.wrote(text, name, self.number);
        let mut rest = text.as_bytes();
        let mut time = self.time();
        while self.framing != Framing::Text && rest.len() > PIECE_BYTES {
            let (piece, further) = rest.split_at(cut(rest, self.framing));
            frame(self.framing, time, output, piece, false, &mut self.buffer);
            rest = further;
            if self.framing == Framing::Cri {
                time = self.time();
            }
        }
        frame(self.framing, time, output, rest, true, &mut self.buffer);
    }

    /// The time of the begun line's next piece: Docker gives all pieces of a line the first one's (moby `daemon/logger/copier.go`).
    fn piece_time(&mut self) -> i64 {
        match self.line_time {
            Some(time) if self.framing == Framing::JsonFile => time,
            _ => {
                let time = self.time();
                self.line_time = Some(time);
                time
            }
        }
    }

    fn output_name(&self, output: Output) -> &'static str {
        if self.framing == Framing::Text {
            ""
        } else {
            output.as_str()
        }
    }

    fn ensure_open(&mut self) {
        if self.file.is_none() {
            self.reopen();
        }
    }

    pub(crate) fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let file = self.file.as_mut().expect("a log is open");
        file.write_all(&self.buffer).expect("write a log");
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
    }
}

/// Where a runtime cuts: at 16 KiB to the byte; json-file can't hold half a character, so there before it.
fn cut(text: &[u8], framing: Framing) -> usize {
    let mut at = PIECE_BYTES;
    while framing == Framing::JsonFile && text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at -= 1;
    }
    at
}
