//! What does a value ask of its field? Levels, numbers, times and text, each checked where it stands.

use std::fmt::Write as _;
use std::ops::Range;

use record::{Level, OutputStream, Tags, Timestamp};
use store::{Comparison, Field, Predicate, Test, Value};

use super::cursor::{Cursor, Piece, Word};
use super::error::QueryError;
use super::grammar::Scope;
use crate::times;

/// What may stand before a value, longest first; `None` is for the very same text.
pub(super) const SIGNS: [(&str, Option<Comparison>); 5] = [
    (">=", Some(Comparison::GreaterOrEqual)),
    ("<=", Some(Comparison::LessOrEqual)),
    (">", Some(Comparison::Greater)),
    ("<", Some(Comparison::Less)),
    ("=", None),
];

const LEVELS: &str = "the levels are trace, debug, info, warn, error and fatal";
const DAY_NANOS: i64 = 86_400 * record::time::NANOS_PER_SECOND;

type Parsed = Result<Predicate, QueryError>;

/// What kind of values a field has.
enum Kind {
    Message,
    Level,
    Words(fn(&str) -> Option<&'static str>, &'static str),
    Integer,
    Time,
    Text,
    Any,
}

/// A bare word or phrase: text in the message.
pub(super) fn text(cursor: &Cursor<'_>, word: &Word) -> Parsed {
    value(
        cursor,
        Scope {
            field: &Field::Message,
            name: "message",
        },
        word,
    )
}

/// `field:value`
pub(super) fn value(cursor: &Cursor<'_>, scope: Scope<'_>, word: &Word) -> Parsed {
    let kind = kind(scope.field);
    if word.is_star() {
        return Ok(match kind {
            // A message is always there: a lone star in a query is everything.
            Kind::Message => Predicate::All,
            _ => on(scope, Test::Exists),
        });
    }
    let Some(plain) = word.plain() else {
        return Ok(pattern(scope, &kind, word));
    };
    match kind {
        Kind::Message if plain.is_empty() => Err(cursor.error(
            word.span.clone(),
            "there is nothing between the quotation marks",
            None,
        )),
        Kind::Message => Ok(Predicate::Text {
            needle: plain.to_owned(),
        }),
        Kind::Time => moment(cursor, scope, word, plain),
        _ => exact(cursor, scope, word),
    }
}

/// `field:=value`: the whole field is this text.
pub(super) fn exact(cursor: &Cursor<'_>, scope: Scope<'_>, word: &Word) -> Parsed {
    let span = word.span.clone();
    let Some(plain) = word.plain() else {
        let hint = "quote the value, or leave out the =";
        return Err(cursor.error(span, "= takes no wildcards", Some(hint)));
    };
    let equals = |text: &str| Ok(on(scope, Test::Equals(text.to_owned())));
    match kind(scope.field) {
        Kind::Level => equals(level(cursor, word)?.as_str()),
        Kind::Words(known, hint) => known(plain).map_or_else(
            || {
                let message = format!("{} is never {plain:?}", scope.name);
                Err(cursor.error(span, message, Some(hint)))
            },
            equals,
        ),
        Kind::Integer => match plain.parse::<u64>() {
            Ok(number) => equals(&number.to_string()),
            Err(_not_a_number) => Err(no_number(cursor, scope, span)),
        },
        Kind::Time => {
            let time = time(cursor, scope, word)?;
            equals(&time.to_string())
        }
        Kind::Message | Kind::Text | Kind::Any => equals(plain),
    }
}

/// `field:>value` and its like.
pub(super) fn compare(
    cursor: &Cursor<'_>,
    scope: Scope<'_>,
    comparison: Comparison,
    word: &Word,
) -> Parsed {
    Ok(on(
        scope,
        Test::Compare(comparison, ordered(cursor, scope, word)?),
    ))
}

/// `field:[low TO high]`; each end with whether it belongs to the range.
pub(super) fn range(
    cursor: &Cursor<'_>,
    scope: Scope<'_>,
    (low, with_low): (&Word, bool),
    (high, with_high): (&Word, bool),
) -> Parsed {
    let from = if with_low {
        Comparison::GreaterOrEqual
    } else {
        Comparison::Greater
    };
    let to = if with_high {
        Comparison::LessOrEqual
    } else {
        Comparison::Less
    };
    let end = |word: &Word, comparison| {
        if word.is_star() {
            Ok(None)
        } else {
            compare(cursor, scope, comparison, word).map(Some)
        }
    };
    Ok(match (end(low, from)?, end(high, to)?) {
        (None, None) => on(scope, Test::Exists),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(low), Some(high)) => Predicate::And(vec![low, high]),
    })
}

/// `field:/pattern/`
pub(super) fn regex(
    cursor: &Cursor<'_>,
    scope: Scope<'_>,
    pattern: String,
    span: Range<usize>,
) -> Parsed {
    match store::predicate::expression(&pattern) {
        Ok(_compiles) => Ok(Predicate::Regex {
            field: scope.field.clone(),
            pattern,
        }),
        Err(regex::Error::CompiledTooBig(_)) => {
            let hint = "lower its repeat counts";
            Err(cursor.error(span, "this regular expression is too large", Some(hint)))
        }
        Err(error) => {
            // The library draws the place in several lines; its last says what is wrong.
            let text = error.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            let message = format!("this regular expression can't be read: {reason}");
            let hint = "quote it to find it as text";
            Err(cursor.error(span, message, Some(hint)))
        }
    }
}

fn on(scope: Scope<'_>, test: Test) -> Predicate {
    Predicate::Field {
        field: scope.field.clone(),
        test,
    }
}

fn kind(field: &Field) -> Kind {
    match field {
        Field::Message => Kind::Message,
        Field::Level => Kind::Level,
        Field::Output => Kind::Words(
            |word| {
                let named = |output: &OutputStream| {
                    !output.as_str().is_empty() && output.as_str().eq_ignore_ascii_case(word)
                };
                OutputStream::ALL
                    .into_iter()
                    .find(named)
                    .map(OutputStream::as_str)
            },
            "write stdout or stderr; a container's log through its restarts is log.stream",
        ),
        Field::Tags => Kind::Words(
            |word| Tags::from_name(&word.to_ascii_lowercase())?.names().next(),
            "the tags are partial, truncated, gap, invalid_utf8, multiline and unparsed",
        ),
        Field::RestartCount | Field::Offset | Field::Part => Kind::Integer,
        Field::Time | Field::Started => Kind::Time,
        Field::App(_) => Kind::Any,
        Field::Stream
        | Field::Namespace
        | Field::PodName
        | Field::PodUid
        | Field::ContainerName
        | Field::NodeName
        | Field::ContainerId
        | Field::ContainerRuntime
        | Field::Image
        | Field::Host
        | Field::Cluster
        | Field::Path
        | Field::Fingerprint
        | Field::Dataset
        | Field::Error
        | Field::Label(_) => Kind::Text,
    }
}

/// A word with wildcards. In a message they fit anywhere; in other fields they cover the whole value.
fn pattern(scope: Scope<'_>, kind: &Kind, word: &Word) -> Predicate {
    let inside = matches!(kind, Kind::Message);
    let star = [Piece::Any];
    let has_edge = |edge: Option<&Piece>| edge == Some(&Piece::Any);
    let lead: &[Piece] = if inside && !has_edge(word.pieces.first()) {
        &star
    } else {
        &[]
    };
    let tail: &[Piece] = if inside && !has_edge(word.pieces.last()) {
        &star
    } else {
        &[]
    };
    let pieces = || lead.iter().chain(&word.pieces).chain(tail);
    let escaped = |piece: &Piece| matches!(piece, Piece::Plain(text) if text.contains(['*', '?']));
    if !pieces().any(escaped) {
        let glob = pieces().map(|piece| match piece {
            Piece::Plain(text) => text.as_str(),
            Piece::Any => "*",
            Piece::One => "?",
        });
        return on(scope, Test::Glob(glob.collect()));
    }
    // A glob can't hold a star that stands for itself; an expression can.
    let mut pattern = String::from(r"(?s)\A");
    for piece in pieces() {
        match piece {
            Piece::Plain(text) => pattern.push_str(&regex::escape(text)),
            Piece::Any => pattern.push_str(".*"),
            Piece::One => pattern.push('.'),
        }
    }
    pattern.push_str(r"\z");
    Predicate::Regex {
        field: scope.field.clone(),
        pattern,
    }
}

/// A value that others can be before or after.
fn ordered(cursor: &Cursor<'_>, scope: Scope<'_>, word: &Word) -> Result<Value, QueryError> {
    let span = word.span.clone();
    let Some(plain) = word.plain() else {
        let hint = "quote the value if it is meant so";
        return Err(cursor.error(span, "there is no order among wildcards", Some(hint)));
    };
    match kind(scope.field) {
        Kind::Level => Ok(Value::Level(level(cursor, word)?)),
        Kind::Words(_, hint) => {
            let message = format!("there is no order among the values of {}", scope.name);
            Err(cursor.error(span, message, Some(hint)))
        }
        Kind::Integer => number(plain)
            .map(Value::Number)
            .ok_or_else(|| no_number(cursor, scope, span)),
        Kind::Time => Ok(Value::Time(time(cursor, scope, word)?)),
        Kind::Any if !word.quoted => {
            Ok(number(plain).map_or_else(|| Value::Text(plain.to_owned()), Value::Number))
        }
        Kind::Message | Kind::Text | Kind::Any => Ok(Value::Text(plain.to_owned())),
    }
}

/// A time as the whole value: a date is its whole day (UTC), anything finer that very nanosecond.
fn moment(cursor: &Cursor<'_>, scope: Scope<'_>, word: &Word, plain: &str) -> Parsed {
    let start = time(cursor, scope, word)?;
    if plain.len() != "2026-11-21".len() {
        return Ok(on(scope, Test::Equals(start.to_string())));
    }
    let end = Timestamp(start.0.saturating_add(DAY_NANOS));
    Ok(Predicate::And(vec![
        on(
            scope,
            Test::Compare(Comparison::GreaterOrEqual, Value::Time(start)),
        ),
        on(scope, Test::Compare(Comparison::Less, Value::Time(end))),
    ]))
}

fn time(cursor: &Cursor<'_>, scope: Scope<'_>, word: &Word) -> Result<Timestamp, QueryError> {
    word.plain().and_then(times::parse_fixed).ok_or_else(|| {
        let message = format!("{} takes a time", scope.name);
        let hint = "write 2026-11-21T10:00:00Z or 2026-11-21 (UTC); for ages use --since";
        cursor.error(word.span.clone(), message, Some(hint))
    })
}

fn level(cursor: &Cursor<'_>, word: &Word) -> Result<Level, QueryError> {
    let plain = word.plain().unwrap_or_default();
    Level::from_word(plain.as_bytes()).ok_or_else(|| {
        let mut message = String::from("there is no level ");
        message.extend(plain.chars().take(40));
        let mut hint = LEVELS.to_owned();
        if plain.eq_ignore_ascii_case(Level::Unknown.as_str()) {
            // Writing to a String can't fail.
            write!(hint, "; NOT level:* finds lines without one").unwrap_or_default();
        }
        cursor.error(word.span.clone(), message, Some(&hint))
    })
}

fn no_number(cursor: &Cursor<'_>, scope: Scope<'_>, span: Range<usize>) -> QueryError {
    cursor.error(span, format!("{} takes a number", scope.name), None)
}

/// A number as people write one; not `inf`, `nan` or an underscore.
fn number(text: &str) -> Option<f64> {
    let signs = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    if !text.bytes().all(signs) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}
