//! Groups of lines: what joins, what does not, and that our clock does not decide it.

use super::*;

fn stream(preset: Preset) -> Stream {
    let mut stream = Stream::new(Format::Cri);
    stream.settings.multiline = Some(Multiline::new(preset));
    stream
}

#[test]
fn a_trace_is_one_record_with_the_first_lines_time_and_level() {
    let mut stream = stream(Preset::Java);
    stream.line(&cri(1, "stderr", "F", b"INFO calm"));
    stream.line(&cri(2, "stderr", "F", b"2026 ERROR failed"));
    stream.line(&cri(
        3,
        "stderr",
        "F",
        b"java.lang.IllegalStateException: INFO",
    ));
    stream.line(&cri(4, "stdout", "F", b"other output"));
    stream.line(&cri(5, "stderr", "P", b"\tat a.B"));
    stream.line(&cri(6, "stderr", "F", b".c(B.java:1)\r"));
    stream.line(&cri(7, "stderr", "F", b"INFO calm again"));
    let trace = "2026 ERROR failed\njava.lang.IllegalStateException: INFO\n\tat a.B.c(B.java:1)";
    let found = stream.expect(&["INFO calm", trace]);
    assert_eq!(
        (found[0].tags, found[1].tags),
        (Tags::NONE, Tags::MULTILINE)
    );
    assert_eq!((found[1].time, found[1].level), (2_000_000, Level::Error));
    assert_eq!(stream.assembler.counts().groups, 1);
    let found = stream
        .flush(Flush::Drained)
        .expect(&["other output", "INFO calm again"]);
    assert!(found[0].offset < found[1].offset);
}

#[test]
fn lines_far_apart_by_their_own_times_are_not_grouped() {
    let mut stream = stream(Preset::Java);
    stream
        .line(&cri(1000, "stderr", "F", b"ERROR x"))
        .line(&cri(2000, "stderr", "F", b"\tat a"));
    stream
        .line(&cri(3001, "stderr", "F", b"\tat b"))
        .line(&cri(2001, "stderr", "F", b"\tat c"));
    stream
        .line(&cri(500, "stderr", "F", b"\tat d"))
        .flush(Flush::Drained);
    stream.expect(&["ERROR x\n\tat a", "\tat b\n\tat c", "\tat d"]);
}

#[test]
fn untimed_text_is_grouped_by_the_lines_alone() {
    let mut stream = stream(Preset::Java);
    stream.format = Format::Text;
    stream.line(b"ERROR x");
    stream.seen += 3_600_000_000_000;
    stream.line(b"\tat a").flush(Flush::Drained);
    stream.expect(&["ERROR x\n\tat a"]);
}

#[test]
fn our_clock_only_ends_the_waiting() {
    let mut stream = stream(Preset::Java);
    // Read late: its own time counts, not ours.
    stream.seen = 100_000_000_000;
    stream.line(&cri(1000, "stderr", "F", b"ERROR x"));
    let deadline = stream.assembler.next_deadline().unwrap();
    assert!(deadline > Timestamp(2_000_000_000) && deadline < Timestamp(4_000_000_000));
    stream
        .flush(Flush::GroupExpired(Timestamp(deadline.0 - 1)))
        .expect(&[]);
    stream
        .flush(Flush::GroupExpired(deadline))
        .expect(&["ERROR x"]);
    assert_eq!(stream.assembler.next_deadline(), None);
    // A line from the future does not wait for it.
    stream.line(&cri(9_000_000, "stderr", "F", b"ERROR y"));
    assert!(stream.assembler.next_deadline().unwrap().0 < stream.seen + 4_000_000_000);
    // Half of a next line has come: it may join.
    stream.line(&cri(9_000_001, "stderr", "P", b"\tat "));
    assert_eq!(stream.assembler.next_deadline(), None);
    stream
        .flush(Flush::GroupExpired(Timestamp(i64::MAX)))
        .expect(&[]);
    stream
        .line(&cri(9_000_002, "stderr", "F", b"a"))
        .flush(Flush::ContainerEnded);
    stream.expect(&["ERROR y\n\tat a"]);
}

#[test]
fn a_trace_beyond_the_limits_goes_on_in_another_group() {
    let mut stream = stream(Preset::Python);
    stream.settings.multiline.as_mut().unwrap().lines_max = 2;
    for text in [
        "Traceback (most recent call last):",
        "  File",
        "    x",
        "  File",
        "E: y",
        "z",
    ] {
        stream.line(&cri(1, "stderr", "F", text.as_bytes()));
    }
    stream.flush(Flush::Drained);
    let traceback = "Traceback (most recent call last):\n  File";
    let found = stream.expect(&[traceback, "    x\n  File", "E: y", "z"]);
    assert_eq!(
        (found[0].level, found[1].level),
        (Level::Error, Level::Unknown)
    );
    stream.settings.multiline.as_mut().unwrap().bytes_max = 40;
    for text in ["Traceback (most recent call last):", "  Fil", "  Fil"] {
        stream.line(&cri(1, "stderr", "F", text.as_bytes()));
    }
    stream
        .flush(Flush::Drained)
        .expect(&["Traceback (most recent call last):\n  Fil", "  Fil"]);
}

#[test]
fn a_long_line_stands_alone_after_the_group_before_it() {
    let mut stream = stream(Preset::Java);
    stream.settings.line_bytes_max = 16;
    stream
        .line(&cri(1, "stderr", "F", b"ERROR x"))
        .line(&cri(2, "stderr", "P", b"\tat abc"));
    stream.expect(&[]);
    stream
        .line(&cri(2, "stderr", "F", b"0123456789abcdef"))
        .line(&cri(3, "stderr", "F", b"\tat b"));
    stream.flush(Flush::Drained);
    let found = stream.expect(&["ERROR x", "\tat abc012345678", "9abcdef", "\tat b"]);
    assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset));
}

#[test]
fn torn_lines_do_not_end_a_group() {
    let mut stream = stream(Preset::Java);
    stream
        .line(&cri(1, "stderr", "F", b"ERROR x"))
        .line(b"torn");
    stream
        .line(&cri(2, "stderr", "F", b"\tat a"))
        .flush(Flush::Drained);
    stream.expect(&["torn", "ERROR x\n\tat a"]);
}

#[test]
fn grouping_that_was_turned_off_gives_out_what_is_held() {
    let mut stream = stream(Preset::Java);
    stream.line(&cri(1, "stderr", "F", b"ERROR x"));
    stream.settings.multiline = None;
    stream.line(&cri(2, "stderr", "F", b"\tat a"));
    stream.expect(&["ERROR x", "\tat a"]);
}

#[test]
fn a_gap_of_hours_is_possible() {
    let mut stream = stream(Preset::Java);
    stream.settings.multiline.as_mut().unwrap().gap = Duration::MAX;
    stream.line(&cri(1, "stderr", "F", b"ERROR x"));
    assert_eq!(stream.assembler.next_deadline(), Some(Timestamp(i64::MAX)));
    stream
        .line(&cri(90_000_000, "stderr", "F", b"\tat a"))
        .flush(Flush::Drained);
    stream.expect(&["ERROR x\n\tat a"]);
}
