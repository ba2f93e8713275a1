//! When did a person mean? `15m`, `10:00`, `2026-11-21 10:00` and RFC 3339 become moments.
//!
//! The clock and the zone are parameters: `now` counts the ages back, and the zone reads what names none.

use jiff::civil;
use jiff::tz::TimeZone;
use record::Timestamp;

/// Why a time can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// It has none of the forms.
    #[error(
        "read the time {text:?}: not an age (15m, 2h30m, 1d), a clock time (10:00), a date (2026-11-21, 2026-11-21 10:00) or RFC 3339"
    )]
    Form {
        /// What was given.
        text: String,
    },
    /// It is well formed but no moment between 1677 and 2262, as the 30th of February.
    #[error("read the time {text:?}: there is no such moment between 1677 and 2262")]
    Impossible {
        /// What was given.
        text: String,
    },
}

/// The units of an age with their nanoseconds. A day is 24 hours here, whatever the clocks of a zone do.
const UNITS: [(&str, i128); 6] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// Reads the moment that `text` means at `now` in `zone`.
///
/// An age counts back from `now`; a clock time is today's; a date is its midnight.
pub fn parse_moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let trimmed = text.trim();
    let impossible = || TimeError::Impossible {
        text: shortened(text),
    };
    if trimmed == "now" {
        return Ok(now);
    }
    if let Some(age) = age_nanos(trimmed) {
        let nanos = i128::from(now.0).saturating_sub(age);
        return i64::try_from(nanos)
            .map(Timestamp)
            .map_err(|_beyond| impossible());
    }
    if let Some(moment) = Timestamp::parse_rfc3339(trimmed.as_bytes()) {
        return Ok(moment);
    }
    let civil = match shape(trimmed) {
        Shape::Other => {
            return Err(TimeError::Form {
                text: shortened(text),
            });
        }
        Shape::Clock => trimmed
            .parse::<civil::Time>()
            .ok()
            .and_then(|clock| Some(zoned(now, zone)?.date().to_datetime(clock))),
        Shape::Date => trimmed.parse::<civil::DateTime>().ok(),
    };
    civil
        .and_then(|civil| civil.to_zoned(zone.clone()).ok())
        .and_then(|zoned| i64::try_from(zoned.timestamp().as_nanosecond()).ok())
        .map(Timestamp)
        .ok_or_else(impossible)
}

/// Reads a time that carries its own zone, or is meant in UTC: what may stand in a query's text.
pub fn parse_fixed(text: &str) -> Option<Timestamp> {
    match shape(text) {
        Shape::Date => parse_moment(text, Timestamp(0), &TimeZone::UTC).ok(),
        Shape::Clock => None,
        Shape::Other => Timestamp::parse_rfc3339(text.as_bytes()),
    }
}

/// The moment on the clocks of `zone`.
pub(crate) fn zoned(moment: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(moment.0)).ok()?;
    Some(moment.to_zoned(zone.clone()))
}

/// What kind of time a text can be, by its digits and signs alone, so that a general parser is never handed more.
enum Shape {
    /// `10:00`, `10:00:30`, `10:00:30.5`
    Clock,
    /// `2026-11-21` and the same with a clock time behind `T` or a space.
    Date,
    /// None of these.
    Other,
}

fn shape(text: &str) -> Shape {
    let pattern: String = text
        .chars()
        .take(40)
        .map(|char| if char.is_ascii_digit() { '0' } else { char })
        .collect();
    let is_clock = |clock: &str| {
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        matches!(clock, "00:00" | "00:00:00")
            && !fraction.is_empty()
            && fraction.len() <= 9
            && (clock.len() == 8 || fraction == "0")
            && fraction.bytes().all(|byte| byte == b'0')
    };
    if is_clock(&pattern) {
        return Shape::Clock;
    }
    match pattern.strip_prefix("0000-00-00") {
        Some("") => Shape::Date,
        Some(rest) if rest.strip_prefix([' ', 'T']).is_some_and(is_clock) => Shape::Date,
        _ => Shape::Other,
    }
}

/// The nanoseconds of `2h30m`, at most those that fit; `None` when it is no age.
fn age_nanos(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut total = 0_i128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let (count, after) = rest.split_at(digits);
        if count.is_empty() {
            return None;
        }
        let letters = after
            .find(|char: char| char.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, nanos) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let count = count.parse::<i128>().unwrap_or(i128::MAX);
        total = total.saturating_add(count.saturating_mul(nanos));
        rest = after;
    }
    Some(total)
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-21T14:04:05.5Z";

    fn check(text: &str, expect: &str) {
        let now = Timestamp::parse_rfc3339(NOW.as_bytes()).unwrap();
        // East of Greenwich, so that a zone read the wrong way round is seen.
        let zone = TimeZone::fixed(jiff::tz::offset(3));
        let found = match parse_moment(text, now, &zone) {
            Ok(moment) => moment.to_string(),
            Err(TimeError::Form { .. }) => "form".to_owned(),
            Err(TimeError::Impossible { .. }) => "impossible".to_owned(),
        };
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn ages_count_back_from_now() {
        check("15m", "2026-11-21T13:49:05.500000000Z");
        check("2h30m", "2026-11-21T11:34:05.500000000Z");
        check("1d", "2026-11-20T14:04:05.500000000Z");
        check("1w", "2026-11-14T14:04:05.500000000Z");
        check("1m500ms", "2026-11-21T14:03:05.000000000Z");
        check(" now ", "2026-11-21T14:04:05.500000000Z");
        check("0s", "2026-11-21T14:04:05.500000000Z");
    }

    #[test]
    fn times_without_a_zone_are_local_ones() {
        check("10:00", "2026-11-21T07:00:00.000000000Z");
        check("10:00:30.25", "2026-11-21T07:00:30.250000000Z");
        check("2026-11-21", "2026-11-20T21:00:00.000000000Z");
        check("2026-11-21 10:00", "2026-11-21T07:00:00.000000000Z");
        check("2026-11-21T10:00:30", "2026-11-21T07:00:30.000000000Z");
    }

    #[test]
    fn times_with_a_zone_keep_it() {
        check("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000000000Z");
        check(
            "2026-11-21T10:00:00.123456789+01:00",
            "2026-11-21T09:00:00.123456789Z",
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "15",
            "m",
            "15x",
            "-5m",
            "1h-2m",
            "yesterday",
            "10:0",
            "10",
            "10:00.",
            "1.5h",
        ] {
            check(text, "form");
        }
        for text in [
            "2026-02-30",
            "25:00",
            "2026-11-21 10:61",
            "0001-01-01",
            "9999999999999w",
        ] {
            check(text, "impossible");
        }
    }

    #[test]
    fn a_clock_time_in_the_gap_of_spring_is_read_as_after_it() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now = Timestamp::parse_rfc3339(b"2026-03-29T12:00:00Z").unwrap();
        let found = parse_moment("02:30", now, &zone).unwrap();
        assert_eq!(found.to_string(), "2026-03-29T01:30:00.000000000Z");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", wild in "[0-9:T +.Zmshdw-]{0,40}") {
            for text in [text, wild] {
                let moment = parse_moment(&text, Timestamp(0), &TimeZone::UTC);
                prop_assert!(moment.is_ok() || moment.is_err());
                parse_fixed(&text);
            }
        }

        #[test]
        fn every_printed_time_is_read_back(nanos in any::<i64>()) {
            let moment = Timestamp(nanos);
            let read = parse_moment(&moment.to_string(), Timestamp(0), &TimeZone::UTC);
            prop_assert_eq!(read, Ok(moment));
        }
    }
}
