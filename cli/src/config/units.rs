//! How do people write sizes and times? `64 KiB`, `1 GB`, `5s`, `1h 30m`.

use std::time::Duration;

const BYTES: [(&str, u64); 9] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
];

const NANOS: [(&str, u64); 16] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("second", 1_000_000_000),
    ("seconds", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("minute", 60_000_000_000),
    ("minutes", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("hour", 3_600_000_000_000),
    ("hours", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("day", 86_400_000_000_000),
    ("days", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// The units of sizes, in lower case.
pub(super) fn sizes() -> impl Iterator<Item = &'static str> {
    BYTES.into_iter().map(|(name, _)| name)
}

/// The units of durations.
pub(super) fn durations() -> impl Iterator<Item = &'static str> {
    NANOS.into_iter().map(|(name, _)| name)
}

/// Reads `64 KiB`, `1.5GB` or `0`; upper and lower case are the same, a unit is required.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write a number and a unit, as in `64 KiB`");
    let [(value, unit)] = pairs(text).ok_or_else(wrong)?[..] else {
        return Err(wrong());
    };
    if unit.is_empty() && value.0 == 0 && value.1 == 0 {
        return Ok(0);
    }
    let (_, scale) = BYTES
        .into_iter()
        .find(|(name, _)| unit.eq_ignore_ascii_case(name))
        .ok_or_else(wrong)?;
    scaled(value, scale).ok_or_else(|| format!("`{text}` is too large"))
}

/// Reads `5s`, `1h 30m`, `7 days` or `0`; a unit is required.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("`{text}` is not a duration; write a number and a unit, as in `30s` or `7 days`")
    };
    let large = || format!("`{text}` is too long");
    let pairs = pairs(text).ok_or_else(wrong)?;
    if let [((0, 0), "")] = pairs[..] {
        return Ok(Duration::ZERO);
    }
    let mut nanos = 0_u64;
    for (value, unit) in pairs {
        let (_, scale) = NANOS
            .into_iter()
            .find(|(name, _)| unit == *name)
            .ok_or_else(wrong)?;
        let part = scaled(value, scale).ok_or_else(large)?;
        nanos = nanos.checked_add(part).ok_or_else(large)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The whole and the millionth part of a number.
type Decimal = (u64, u64);

/// Cuts `1h 30m` into numbers and units; at least one pair.
fn pairs(text: &str) -> Option<Vec<(Decimal, &str)>> {
    let mut rest = text.trim();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        pairs.push((decimal(number)?, unit));
        rest = after.trim_start();
    }
    (!pairs.is_empty() && pairs.len() <= 6).then_some(pairs)
}

fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 6 || fraction.contains('.') {
        return None;
    }
    let millionths = fraction.parse::<u64>().ok()? * 10_u64.pow(6 - fraction.len() as u32);
    Some((whole.parse().ok()?, millionths))
}

fn scaled((whole, millionths): Decimal, scale: u64) -> Option<u64> {
    let fraction = u128::from(millionths) * u128::from(scale) / 1_000_000;
    whole
        .checked_mul(scale)?
        .checked_add(u64::try_from(fraction).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        let check =
            |text: &str, expect: Option<u64>| assert_eq!(bytes(text).ok(), expect, "{text}");
        check("64 KiB", Some(65_536));
        check("1.5gib", Some(1_610_612_736));
        check("10 MB", Some(10_000_000));
        check("512B", Some(512));
        check("0", Some(0));
        check("64", None);
        check("64 K", None);
        check("-1 KiB", None);
        check("1 KiB 1 B", None);
        check("99999999 TiB", None);
        check("1..5 KiB", None);
        check("", None);
    }

    #[test]
    fn durations_as_people_write_them() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(
                duration(text).ok().map(|d| d.as_millis() as u64),
                expect,
                "{text}"
            );
        };
        check("5s", Some(5_000));
        check("1h 30m", Some(5_400_000));
        check("1h30m", Some(5_400_000));
        check("7 days", Some(604_800_000));
        check("1.5s", Some(1_500));
        check("250ms", Some(250));
        check("0", Some(0));
        check("5", None);
        check("5 fortnights", None);
        check("s", None);
        check("99999999999w", None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_a_sentence(text in "\\PC{0,24}") {
            drop((bytes(&text), duration(&text)));
        }

        #[test]
        fn a_written_size_is_read_again(kib in 0_u64..1_000_000) {
            prop_assert_eq!(bytes(&format!("{kib} KiB")), Ok(kib * 1024));
        }
    }
}
