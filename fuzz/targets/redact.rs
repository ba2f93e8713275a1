//! Lines of any content with secrets in them: a JSON body stays one or is left out, and what nothing was found in stays
//! as it was. The first line is an expression, used if it can be.
#![no_main]

use collector::parse::{Assembler, Flush, RawLine, Scratch, Settings, Span};
use collector::redact::{self, RawPattern, Redactor, Unfinished, builtin};
use libfuzzer_sys::fuzz_target;
use record::origin::Format;
use record::{Entry, Timestamp};

fuzz_target!(|text: &str| {
    let Some((expression, lines)) = text.split_once('\n') else { return };
    let built_in = builtin().map(|(name, _)| RawPattern { name: name.to_owned(), pattern: None });
    let mut raw: Vec<RawPattern> = built_in.collect();
    let own = RawPattern { name: "own".to_owned(), pattern: Some(expression.to_owned()) };
    if redact::Settings::new(std::slice::from_ref(&own)).is_ok() {
        raw.push(own);
    }
    let settings = redact::Settings::new(&raw).expect("each of them can be used");
    let mut redactor = Redactor::new(settings);
    let mut unfinished = Unfinished::default();
    let settings = Settings { app: true, ..Settings::default() };
    let (mut assembler, mut scratch) = (Assembler::new(), Scratch::new());
    for (offset, line) in lines.split('\n').enumerate() {
        let offset = offset as u64;
        let at = Span { started: 1, offset, end: offset + 1 };
        let line = RawLine { format: Format::Text, at, seen: Timestamp(7), bytes: line.as_bytes() };
        let mut emit = |emitted: collector::parse::Emitted<'_>| check(&mut redactor, &mut unfinished, &emitted.entry);
        assembler.line(&settings, &mut scratch, &line, &mut emit);
    }
    assembler.flush(&settings, &mut scratch, Flush::Drained, &mut |_| {});
});

fn check(redactor: &mut Redactor, unfinished: &mut Unfinished, entry: &Entry<'_>) {
    let count = |redactor: &Redactor| redactor.counts().iter().map(|(_, count)| count).sum::<u64>();
    let before = count(redactor);
    let out = redactor.redact(unfinished, entry);
    let (message, app) = (out.message.to_owned(), out.app.map(str::to_owned));
    assert_eq!((out.offset, out.end, out.level), (entry.offset, entry.end, entry.level));
    if count(redactor) == before {
        assert_eq!((message.as_str(), app.as_deref()), (entry.message, entry.app));
        return;
    }
    assert!(message.contains("[redacted:"), "{message}");
    if let Some(app) = app {
        let body: serde_json::Value = serde_json::from_str(&app).expect("a body is JSON");
        assert!(body.is_object());
        assert_eq!(app, message.trim_ascii());
    }
}
