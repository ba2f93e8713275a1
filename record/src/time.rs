//! When was it? Nanoseconds since the Unix epoch, read from and written as RFC 3339.
//!
//! Log lines carry one time each, so both directions are written out by hand: a general library costs more than the
//! rest of the line. Source: RFC 3339; the day arithmetic is the civil calendar of ISO 8601 (proleptic Gregorian).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment in nanoseconds since 1970-01-01T00:00:00Z; covers the years 1677 to 2262.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Nanoseconds in one second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Length of the text that [`Timestamp::write_rfc3339`] makes: `2026-11-21T10:00:00.000000000Z`.
pub const RFC3339_LENGTH: usize = 30;

// === impl Timestamp ===

impl Timestamp {
    /// Reads an RFC 3339 time with any number of fraction digits (those beyond nine are dropped) and any offset.
    ///
    /// Returns `None` for anything else, for impossible dates and for years that nanoseconds in 64 bits can't hold.
    /// A leap second (`:60`) is read as the first moment of the next minute.
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let (head, rest) = text.split_at_checked(19)?;
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            m0,
            m1,
            b'-',
            d0,
            d1,
            b'T' | b't' | b' ',
            h0,
            h1,
            b':',
            n0,
            n1,
            b':',
            s0,
            s1,
        ] = *head
        else {
            return None;
        };
        let year = i64::from(two(y0, y1)?) * 100 + i64::from(two(y2, y3)?);
        let (month, day) = (two(m0, m1)?, two(d0, d1)?);
        let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
        if !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
            || hour > 23
            || minute > 59
            || second > 60
        {
            return None;
        }
        let (nanos, rest) = fraction(rest)?;
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY
            + i64::from(hour) * 3600
            + i64::from(minute) * 60
            + i64::from(second)
            - zone_seconds(rest)?;
        seconds
            .checked_mul(NANOS_PER_SECOND)?
            .checked_add(nanos)
            .map(Self)
    }

    /// Appends the time in UTC with nine fraction digits, always [`RFC3339_LENGTH`] bytes.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.rfc3339());
    }

    /// The time in UTC with nine fraction digits.
    pub fn rfc3339(self) -> [u8; RFC3339_LENGTH] {
        let seconds = self.0.div_euclid(NANOS_PER_SECOND);
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        put(&mut text, 0, 4, year);
        put(&mut text, 5, 2, month);
        put(&mut text, 8, 2, day);
        put(&mut text, 11, 2, second / 3600);
        put(&mut text, 14, 2, second / 60 % 60);
        put(&mut text, 17, 2, second % 60);
        put(&mut text, 20, 9, nanos);
        text
    }

    /// The UTC day as year, month, day.
    pub fn day(self) -> (i64, u8, u8) {
        let (year, month, day) =
            civil_from_days(self.0.div_euclid(NANOS_PER_SECOND * SECONDS_PER_DAY));
        (year, month as u8, day as u8)
    }

    /// Days since 1970-01-01, rounded down.
    pub fn epoch_day(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND * SECONDS_PER_DAY)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rfc3339();
        f.write_str(std::str::from_utf8(&text).unwrap_or("invalid time"))
    }
}

fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

/// Reads `.123` and gives its nanoseconds and what follows.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.' | b',', digits)) = rest.split_first() else {
        return Some((0, rest));
    };
    let length = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = digits.split_at(length);
    if digits.is_empty() {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    Some((nanos, rest))
}

/// Reads `Z`, `+01:00` or `-0530` and gives the seconds east of UTC.
fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => (sign, two(h0, h1)?, two(m0, m1)?),
        _ => return None,
    };
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    match sign {
        b'+' if hours < 24 && minutes < 60 => Some(seconds),
        b'-' if hours < 24 && minutes < 60 => Some(-seconds),
        _ => None,
    }
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date; years begin in March so that the leap day is last.
fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes `width` decimal digits of `value` at `at`.
fn put(text: &mut [u8; RFC3339_LENGTH], at: usize, width: usize, mut value: i64) {
    for place in text.iter_mut().skip(at).take(width).rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let found = Timestamp::parse_rfc3339(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(found.as_deref(), expect, "{text}");
    }

    #[test]
    fn times_of_containers_and_their_limits() {
        check(
            "2026-11-21T10:00:00.5Z",
            Some("2026-11-21T10:00:00.500000000Z"),
        );
        check(
            "2026-11-21T10:00:00.123456789Z",
            Some("2026-11-21T10:00:00.123456789Z"),
        );
        check(
            "2026-11-21T10:00:00.1234567899Z",
            Some("2026-11-21T10:00:00.123456789Z"),
        );
        check(
            "2026-11-21T10:00:00+01:00",
            Some("2026-11-21T09:00:00.000000000Z"),
        );
        check(
            "2026-03-01T00:00:00-0530",
            Some("2026-03-01T05:30:00.000000000Z"),
        );
        check(
            "2024-02-29T23:59:60Z",
            Some("2024-03-01T00:00:00.000000000Z"),
        );
        check(
            "1969-12-31T23:59:59.999999999Z",
            Some("1969-12-31T23:59:59.999999999Z"),
        );
        check("2026-02-29T00:00:00Z", None);
        check("2026-13-01T00:00:00Z", None);
        check("2026-11-21T10:00:00", None);
        check("2026-11-21T10:00:00.Z", None);
        check("9999-01-01T00:00:00Z", None);
        check("2026-11-21T10:00:0", None);
        check("", None);
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_calendar() {
        for days in -100_000..50_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month as u8, day as u8), days);
        }
    }
}
