//! What is there after the worst moment? Every row that was acknowledged, once; nothing that is half a row.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use record::{Document, Timestamp};
use store::{OpenError, Options, Reader, Scan, Writer, recover_fresh};

use crate::lines::{DAY, all, append, batch, expected, file, line, search, sort, writer};

/// Lines of two streams, `count` of them from the `first`-th on.
fn lines(first: u64, count: u64) -> Vec<Document> {
    let own = [file(0, DAY), file(1, DAY)];
    (first..first + count)
        .map(|n| {
            line(
                &own[n as usize % 2],
                DAY + n as i64,
                n * 20,
                &format!("line {n}"),
            )
        })
        .collect()
}

/// The `number`-th minute of the day.
fn minute(number: u64) -> Timestamp {
    Timestamp(DAY + number as i64 * 60_000_000_000)
}

/// The only fresh stream of a store.
fn stream(dir: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(dir.join("fresh")).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none(), "more than one fresh stream");
    path
}

/// Copies a store as a crash would leave it.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn sealed_files_are_kept_when_the_manifest_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut writer = writer(dir.path());
        append(&mut writer, &lines(0, 10));
        writer.settle(minute(1), true).unwrap();
    }
    fs::remove_file(dir.path().join("manifest.json")).unwrap();
    // A sealed stream stays for its followers for a while; without it the sealed file is all there is.
    fs::remove_dir_all(dir.path().join("fresh")).unwrap();
    let mut writer = writer(dir.path());
    append(&mut writer, &lines(10, 5));
    assert_eq!(all(dir.path()).len(), 5);
    let aside: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("unnamed-"))
        .collect();
    let [aside] = aside.as_slice() else {
        panic!("set aside: {aside:?}")
    };
    let day = fs::read_dir(aside).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_dir(day).unwrap().count(), 1);
}

#[test]
fn a_stream_cut_at_any_byte_keeps_its_whole_appends_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut ends = Vec::new();
    {
        let mut writer = writer(dir.path());
        for n in 0..4 {
            append(&mut writer, &lines(n * 3, 3));
            ends.push(fs::metadata(stream(dir.path())).unwrap().len() as usize);
        }
    }
    let bytes = fs::read(stream(dir.path())).unwrap();
    for cut in 0..=bytes.len() {
        let whole = recover_fresh(&bytes[..cut]);
        let appends = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(whole.rows, appends as u64 * 3, "cut at {cut}");
        assert!(
            appends == 0 || whole.bytes == ends[appends - 1],
            "cut at {cut}"
        );
    }
    for cut in (0..bytes.len()).step_by(97) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("fresh")).unwrap();
        fs::write(dir.path().join("fresh/0000000000.arrows"), &bytes[..cut]).unwrap();
        let appends = ends.iter().filter(|end| **end <= cut).count() as u64;
        // A reader needs no writer to see what is whole.
        assert_eq!(all(dir.path()), lines(0, appends * 3), "cut at {cut}");
        let mut writer = writer(dir.path());
        assert_eq!(writer.recovered().rows_fresh, appends * 3);
        append(&mut writer, &lines(100, 2));
        let mut expect = lines(0, appends * 3);
        expect.extend(lines(100, 2));
        assert_eq!(all(dir.path()), expect, "cut at {cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_rotten_byte_costs_its_append_and_later_ones_and_nothing_else(
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut ends = Vec::new();
        {
            let mut writer = writer(dir.path());
            for n in 0..3 {
                append(&mut writer, &lines(n * 2, 2));
                ends.push(fs::metadata(stream(dir.path())).unwrap().len());
            }
        }
        let path = stream(dir.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = place.index(bytes.len());
        bytes[at] ^= flip;
        fs::write(&path, &bytes).unwrap();
        let whole = if at < 8 { 0 } else { ends.iter().filter(|end| **end <= at as u64).count() };
        let writer = writer(dir.path());
        let found = writer.recovered().rows_fresh;
        // What can't be understood from its first message on is kept for a person to look at.
        let aside = path.with_extension("arrows.damaged");
        prop_assert_eq!(writer.recovered().streams_set_aside, u64::from(aside.exists()));
        prop_assert!(found > 0 || whole == 0 || fs::read(&aside).unwrap() == bytes);
        drop(writer);
        prop_assert!(found == whole as u64 * 2 || found == 0, "{found} rows, flipped {at}");
        prop_assert_eq!(all(dir.path()), lines(0, found));
    }

    #[test]
    fn no_bytes_break_the_recovery(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(recover_fresh(&bytes).rows, 0);
    }

    #[test]
    fn a_crash_at_any_step_of_sealing_and_merging_doubles_and_loses_nothing(
        steps in prop::collection::vec((1_u64..40, any::<bool>()), 1..16),
        crash in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let mut stored = Vec::new();
        let mut copies = Vec::new();
        for (count, seal) in steps {
            let more = lines(stored.len() as u64, count);
            append(&mut writer, &more);
            stored.extend(more);
            // What a sealing leaves when it dies just before the manifest: the new file, not named by it.
            let before = tempfile::tempdir().unwrap();
            copy(dir.path(), before.path());
            if seal {
                writer.settle(minute(copies.len() as u64), true).unwrap();
                let half = tempfile::tempdir().unwrap();
                copy(dir.path(), half.path());
                // Everything is there but the manifest is the old one; or the old files still are.
                let old = before.path().join("manifest.json");
                fs::copy(&old, half.path().join("manifest.json")).unwrap();
                copy(before.path(), half.path());
                copies.push((half, stored.len()));
                let late = tempfile::tempdir().unwrap();
                copy(before.path(), late.path());
                copy(dir.path(), late.path());
                copies.push((late, stored.len()));
            }
            copies.push((before, stored.len()));
        }
        sort(&mut stored);
        prop_assert_eq!(all(dir.path()), stored.clone());
        let (crashed, count) = &copies[crash.index(copies.len())];
        let mut expect = lines(0, *count as u64);
        sort(&mut expect);
        prop_assert_eq!(all(crashed.path()), expect.clone());
        let mut writer = Writer::open(crashed.path(), Options::default(), Timestamp(DAY)).unwrap();
        prop_assert_eq!(all(crashed.path()), expect.clone());
        writer.settle(minute(600), true).unwrap();
        prop_assert_eq!(all(crashed.path()), expect);
    }
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let first = writer(dir.path());
    let error = Writer::open(dir.path(), Options::default(), Timestamp(DAY)).unwrap_err();
    let OpenError::Busy { pid, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(pid, std::process::id());
    drop(first);
    writer(dir.path());
}

#[test]
fn unfinished_files_are_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut stored = lines(0, 5);
    {
        let mut writer = writer(dir.path());
        append(&mut writer, &stored);
        writer.settle(Timestamp(DAY), true).unwrap();
    }
    let day = dir.path().join("2026-11-21");
    fs::write(day.join("0000000007.parquet.tmp"), "PAR1").unwrap();
    fs::copy(
        day.join("0000000000.parquet"),
        day.join("0000000001.parquet"),
    )
    .unwrap();
    fs::write(dir.path().join("manifest.json.tmp"), "{").unwrap();
    sort(&mut stored);
    assert_eq!(all(dir.path()), stored);
    let writer = writer(dir.path());
    // The two, the manifest's and the fresh stream that was sealed.
    assert_eq!(writer.recovered().files_removed, 4);
    assert_eq!(fs::read_dir(&day).unwrap().count(), 1);
    assert_eq!(all(dir.path()), stored);
}

#[test]
fn rows_that_were_never_synced_may_go_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let synced = {
        let mut writer = writer(dir.path());
        append(&mut writer, &lines(0, 3));
        let synced = fs::metadata(stream(dir.path())).unwrap().len();
        writer.append(&mut batch(&lines(3, 3))).unwrap();
        synced
    };
    // The power goes: the length was written, the bytes were not.
    let path = stream(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[synced as usize..].fill(0);
    fs::write(&path, &bytes).unwrap();
    let mut writer = writer(dir.path());
    assert_eq!(all(dir.path()), lines(0, 3));
    assert_eq!(
        writer.stored_from("uid-0/app", DAY, 0).unwrap(),
        [(0, 7), (40, 47)]
    );
}

#[test]
fn what_is_stored_is_told_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let documents = lines(0, 300);
    let stored = |documents: &[Document], stream: &str, from: u64| -> Vec<(u64, u64)> {
        documents
            .iter()
            .filter(|document| document.file.origin.stream == stream && document.offset >= from)
            .map(|document| (document.offset, document.end))
            .collect()
    };
    {
        let mut writer = writer(dir.path());
        append(&mut writer, &documents[..100]);
        writer.settle(Timestamp(DAY), true).unwrap();
        append(&mut writer, &documents[100..200]);
    }
    let mut writer = writer(dir.path());
    for from in [0, 1500, 3980, 3981, u64::MAX] {
        let expect = stored(&documents[..200], "uid-0/app", from);
        assert_eq!(writer.stored_from("uid-0/app", DAY, from).unwrap(), expect);
    }
    append(&mut writer, &documents[200..]);
    let expect = stored(&documents, "uid-1/app", 100);
    assert_eq!(writer.stored_from("uid-1/app", DAY, 100).unwrap(), expect);
    writer.settle(Timestamp(DAY), true).unwrap();
    assert_eq!(writer.stored_from("uid-1/app", DAY, 100).unwrap(), expect);
    assert_eq!(writer.stored_from("uid-1/app", DAY + 1, 0).unwrap(), []);
    assert_eq!(writer.stored_from("uid-9/app", DAY, 0).unwrap(), []);
}

#[test]
fn rows_seal_by_size_and_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        seal_bytes: 10_000,
        seal_age: Duration::from_mins(1),
        ..Options::default()
    };
    let mut writer = Writer::open(dir.path(), options, Timestamp(DAY)).unwrap();
    let mut stored = Vec::new();
    for n in 0..20 {
        let more = lines(n * 50, 50);
        append(&mut writer, &more);
        stored.extend(more);
    }
    let done = writer.settle(Timestamp(DAY + 1), false).unwrap();
    assert!(done.rows_sealed > 0 && done.rows_sealed < 1000, "{done:?}");
    let late = Timestamp(DAY + 61_000_000_000);
    assert_eq!(
        writer.settle(late, false).unwrap().rows_sealed,
        1000 - done.rows_sealed
    );
    sort(&mut stored);
    assert_eq!(all(dir.path()), stored);
}

#[test]
fn many_small_files_become_few_and_keep_every_row() {
    for seal_bytes in [1 << 20, 1] {
        let dir = tempfile::tempdir().unwrap();
        // One byte forbids sorting together, so row groups are copied.
        let options = Options {
            seal_bytes,
            ..Options::default()
        };
        let mut writer = Writer::open(dir.path(), options, Timestamp(DAY)).unwrap();
        let mut stored = Vec::new();
        for n in 0..40 {
            let more = lines(n * 7, 7);
            append(&mut writer, &more);
            stored.extend(more);
            writer.settle(minute(n), true).unwrap();
        }
        let reader = Reader::open(dir.path()).unwrap();
        assert!(reader.extent().files < 12, "{:?}", reader.extent());
        assert_eq!(reader.extent().rows, 280);
        sort(&mut stored);
        assert_eq!(all(dir.path()), stored);
        let on_disk = fs::read_dir(dir.path().join("2026-11-21")).unwrap().count();
        assert_eq!(on_disk as u64, reader.extent().files);
        let position = stored[100].position();
        let stream = &stored[100].file.origin.stream;
        let before = reader.before(stream, position, 30).unwrap();
        let own = stored[..100]
            .iter()
            .filter(|other| other.file.origin.stream == *stream);
        let own: Vec<Document> = own.cloned().collect();
        assert_eq!(before, own[own.len() - 30..]);
    }
}

#[test]
fn a_reader_that_holds_on_reads_what_a_merge_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let mut stored = Vec::new();
    let mut readers = Vec::new();
    for n in 0..12 {
        let more = lines(n * 7, 7);
        append(&mut writer, &more);
        stored.extend(more);
        writer.settle(minute(n), true).unwrap();
        readers.push((Reader::open(dir.path()).unwrap(), stored.len()));
    }
    for (reader, count) in readers {
        let found = search(&reader, &Scan::default());
        assert!(
            found.len() == count || found.len() == stored.len(),
            "{}",
            found.len()
        );
        assert_eq!(found, stored[..found.len()]);
    }
}

#[test]
fn lines_of_many_days_go_to_their_days_and_no_clock_makes_endless_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let own = file(0, DAY);
    let mut stored: Vec<Document> = (0..500)
        .map(|n| line(&own, DAY + n * 86_400_000_000_000, n as u64 * 20, "far"))
        .collect();
    append(&mut writer, &stored);
    writer.settle(Timestamp(DAY), true).unwrap();
    sort(&mut stored);
    assert_eq!(all(dir.path()), stored);
    let days = fs::read_dir(dir.path()).unwrap();
    let days = days
        .filter(|entry| entry.as_ref().unwrap().file_name().len() == 10)
        .count();
    assert_eq!(days, 32);
}

#[test]
fn retention_takes_the_oldest_first_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        retention_age: Some(Duration::from_hours(25)),
        ..Options::default()
    };
    let mut writer = Writer::open(dir.path(), options, Timestamp(DAY)).unwrap();
    let own = file(0, DAY);
    let mut stored = Vec::new();
    let day = 86_400_000_000_000;
    for n in 0..5_i64 {
        let more = [
            line(&own, DAY + n * day, n as u64 * 20, "one"),
            line(&own, DAY + n * day + 5, n as u64 * 20 + 10, "two"),
        ];
        append(&mut writer, &more);
        stored.extend(more);
        // Sealed on its own day, so that its age is its rows'.
        writer.settle(Timestamp(DAY + n * day + 10), true).unwrap();
    }
    let done = writer.settle(Timestamp(DAY + 4 * day + 10), true).unwrap();
    assert_eq!(all(dir.path()), stored[6..]);
    assert_eq!(done.rows_removed, 0, "it was removed as it became due");
    let done = writer.settle(Timestamp(DAY + 5 * day), true).unwrap();
    assert_eq!(done.rows_removed, 2);
    assert_eq!(done.removed_range, Some((stored[6].time, stored[7].time)));
    assert!(done.bytes_removed > 0);
    assert_eq!(all(dir.path()), stored[8..]);
}

#[test]
fn retention_by_bytes_keeps_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut stored = Vec::new();
    {
        let mut writer = writer(dir.path());
        let own = file(0, DAY);
        for n in 0..6_i64 {
            let time = DAY + n * 86_400_000_000_000;
            let more = [line(&own, time, n as u64 * 20, "one")];
            append(&mut writer, &more);
            stored.extend(more);
            writer.settle(Timestamp(time), true).unwrap();
        }
    }
    let bytes = Reader::open(dir.path()).unwrap().extent().bytes;
    let now = Timestamp(DAY + 6 * 86_400_000_000_000);
    let options = Options {
        retention_bytes: Some(bytes * 6 / 10),
        ..Options::default()
    };
    let mut writer = Writer::open(dir.path(), options, now).unwrap();
    let done = writer.settle(now, true).unwrap();
    assert_eq!(done.rows_removed, 3);
    let scan = Scan {
        limit: Some(3),
        ..Scan::default()
    };
    assert_eq!(all(dir.path()), expected(&stored, &scan));
}
