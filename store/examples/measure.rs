//! How fast is the store here? `cargo run --release -p store --example measure -- DIRECTORY [ROWS]`
//!
//! Writes rows of some 150 bytes over 30 containers, then asks what people ask, and prints times and ratios.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use record::file::Node;
use record::{
    Container, Entry, File, FileKey, Level, Origin, OutputStream, Pod, Position, Record, Tags,
    Timestamp,
};
use store::{Batch, Field, Options, Predicate, Reader, Scan, Test, Writer};

const DAY: i64 = 1_795_219_200_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("DIRECTORY [ROWS]")?;
    let rows: u64 = arguments
        .next()
        .map_or(Ok(5_000_000), |rows| rows.parse())?;
    let dir = Path::new(&dir);
    if !dir.join("manifest.json").exists() {
        write(dir, rows)?;
    }
    for round in ["cold footers", "again"] {
        println!("-- {round}");
        ask(dir, rows)?;
    }
    println!("peak resident: {}", memory("VmHWM"));
    Ok(())
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|f| f.parse().ok())
        .collect();
    // utime and stime are the 14th and 15th; two precede the closing bracket and the state is no number.
    let ticks = fields.get(10).copied().unwrap_or(0) + fields.get(11).copied().unwrap_or(0);
    Duration::from_millis(ticks.unsigned_abs() * 10)
}

fn memory(key: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find(|line| line.starts_with(key))
        .unwrap_or_default()
        .to_owned()
}

fn files() -> Vec<Arc<File>> {
    (0..30_u32)
        .map(|n| {
            Arc::new(File {
                origin: Arc::new(Origin {
                    stream: format!("4c1f5e0a-2b7e-4d0c-9a57-0000000000{n:02}/app"),
                    pod: Some(Pod {
                        namespace: ["shop", "billing", "kube-system"][n as usize % 3].to_owned(),
                        name: format!("service-{n}-7d4b9c6f5-abcde"),
                        uid: format!("4c1f5e0a-2b7e-4d0c-9a57-0000000000{n:02}"),
                        ..Pod::default()
                    }),
                    container: Some(Container {
                        name: "app".to_owned(),
                        ..Container::default()
                    }),
                    ..Origin::default()
                }),
                key: FileKey([n as u8; 16]),
                fingerprint: format!("{n:032x}"),
                path: format!("/var/log/pods/shop_service-{n}/app/0.log"),
                started: DAY,
                restart_count: Some(0),
                node: Arc::new(Node {
                    host: "node-1".to_owned(),
                    ..Node::default()
                }),
            })
        })
        .collect()
}

fn write(dir: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    let files = files();
    let (begun, busy) = (Instant::now(), cpu());
    let mut making = Duration::ZERO;
    let mut writer = Writer::open(dir, Options::default(), Timestamp(DAY))?;
    let mut batch = Batch::new();
    let mut raw = 0;
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut offsets = vec![0_u64; files.len()];
    let mut lines: Vec<(usize, Level, String)> = Vec::new();
    for number in 0..rows {
        if number % 4096 == 0 {
            let made = cpu();
            lines = (number..number + 4096)
                .map(|n| made_line(n, rows, &mut random))
                .collect();
            making += cpu().saturating_sub(made);
        }
        let Some((own, level, message)) = lines.get((number % 4096) as usize) else {
            continue;
        };
        let (Some(file), Some(offset)) = (files.get(*own), offsets.get_mut(*own)) else {
            continue;
        };
        // As it stood in its file: time, output, tag, message, newline.
        let length = message.len() as u64 + 40;
        raw += length;
        let entry = Entry {
            time: Timestamp(DAY + number as i64 * 50_000 + (random % 40_000) as i64),
            output: OutputStream::Stdout,
            level: *level,
            message,
            offset: *offset,
            end: *offset + length,
            end_started: DAY,
            part: 0,
            tags: Tags::NONE,
            app: None,
            error: None,
        };
        *offset += length;
        batch.push(&Record { file, entry });
        if batch.bytes() > 4 << 20 {
            writer.append(&mut batch)?;
            writer.maintain(Timestamp(DAY + number as i64 * 50_000))?;
        }
        if number % 20_000 == 0 {
            writer.sync()?;
        }
    }
    writer.append(&mut batch)?;
    writer.sync()?;
    writer.settle(Timestamp(DAY + rows as i64 * 50_000), true)?;
    let busy = cpu().saturating_sub(busy + making);
    println!(
        "written: {rows} rows, {:.2} s, {:.2} M rows per CPU second, peak {}",
        begun.elapsed().as_secs_f64(),
        rows as f64 / busy.as_secs_f64() / 1e6,
        memory("VmHWM"),
    );
    drop(writer);
    let extent = Reader::open(dir)?.extent();
    println!(
        "on disk: {} MB of {} MB raw = {:.3}, {} files",
        extent.bytes >> 20,
        raw >> 20,
        extent.bytes as f64 / raw as f64,
        extent.files
    );
    Ok(())
}

fn made_line(number: u64, rows: u64, random: &mut u64) -> (usize, Level, String) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    let own = (*random % 30) as usize;
    let needle = if number == rows / 3 {
        " needle-in-the-hay"
    } else {
        ""
    };
    let (level, what) = match *random >> 58 {
        0 => (
            Level::Error,
            "upstream timeout while reading response header",
        ),
        1..8 => (Level::Warn, "retrying payment after transient failure"),
        _ => (Level::Info, "request completed"),
    };
    let message = format!(
        "{} {what}{needle} order_id={} user={} duration_ms={} trace={:016x}",
        level.as_str().to_uppercase(),
        *random % 1_000_000,
        *random >> 12 & 0xffff,
        *random >> 30 & 0xfff,
        random.rotate_left(17),
    );
    (own, level, message)
}

fn ask(dir: &Path, rows: u64) -> Result<(), Box<dyn Error>> {
    let reader = Reader::open(dir)?;
    let text = |needle: &str| Predicate::Text {
        needle: needle.to_owned(),
    };
    let level = |level: &str| Predicate::Field {
        field: Field::Level,
        test: Test::Equals(level.to_owned()),
    };
    let questions = [
        ("needle", text("Needle-in-the-hay"), None),
        ("nothing", text("no such text anywhere"), None),
        (
            "latest 100 of a phrase",
            text("retrying payment"),
            Some(100),
        ),
        ("latest 100 errors", level("error"), Some(100)),
        (
            "latest 100 of a pod",
            Predicate::Field {
                field: Field::PodName,
                test: Test::Glob("service-7-*".to_owned()),
            },
            Some(100),
        ),
    ];
    let mut hit = None;
    for (name, predicate, limit) in questions {
        let begun = Instant::now();
        let scan = Scan {
            predicate,
            limit,
            ..Scan::default()
        };
        let stats = reader.scan(&scan, &mut |document| {
            hit.get_or_insert(document);
            ControlFlow::Continue(())
        })?;
        println!(
            "{name}: {} found, {:.1} ms, {stats:?}",
            stats.rows_matched,
            ms(begun)
        );
    }
    let Some(hit) = hit else { return Ok(()) };
    for _ in 0..2 {
        let begun = Instant::now();
        let position = Position {
            started: hit.file.started,
            offset: hit.offset,
        };
        let stream = &hit.file.origin.stream;
        let mut around = reader.before(stream, position, 10)?;
        around.extend(reader.after(stream, position, 10)?);
        println!("context: {} lines, {:.1} ms", around.len(), ms(begun));
    }
    let begun = Instant::now();
    let histogram = reader.histogram(&Scan::default(), Duration::from_mins(1))?;
    let counted: u64 = histogram.buckets.values().flatten().sum();
    println!("histogram: {counted} of {rows} rows, {:.1} ms", ms(begun));
    let begun = Instant::now();
    let scan = Scan {
        predicate: text("timeout"),
        ..Scan::default()
    };
    let histogram = reader.histogram(&scan, Duration::from_mins(1))?;
    let counted: u64 = histogram.buckets.values().flatten().sum();
    println!("histogram of a word: {counted} rows, {:.1} ms", ms(begun));
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
