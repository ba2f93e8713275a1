//! What number is this? Decimal digits of a line, without a detour over text.

/// A status: exactly three digits.
pub(super) fn status(text: &[u8]) -> Option<u16> {
    match *text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            let digit = |byte: u8| u16::from(byte - b'0');
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => None,
    }
}

/// A whole number of at most 18 digits.
pub(super) fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// Seconds with a fraction, in microseconds; digits beyond those are dropped.
pub(super) fn micros(text: &[u8]) -> Option<u64> {
    let point = text.iter().position(|byte| *byte == b'.');
    let Some(point) = point else {
        return whole(text)
            .filter(|_| text.len() <= 10)
            .map(|seconds| seconds * 1_000_000);
    };
    let (seconds, fraction) = (text.get(..point)?, text.get(point + 1..)?);
    let seconds = whole(seconds).filter(|_| seconds.len() <= 10)?;
    let kept = fraction.get(..6).unwrap_or(fraction);
    let rest = fraction.get(kept.len()..)?;
    if rest.len() > 12 || !rest.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let scale = 10_u64.pow(6 - kept.len() as u32);
    Some(seconds * 1_000_000 + whole(kept)? * scale)
}

/// The sum of a list of durations (`0.003, 0.001`, `0.003 : -`); `Ok(None)` when no attempt has one.
pub(super) fn micros_sum(list: &[u8]) -> Result<Option<u64>, ()> {
    let mut sum = None;
    for one in list.split(|byte| matches!(byte, b' ' | b',' | b':')) {
        match one {
            b"" | b"-" => {}
            one => sum = Some(sum.unwrap_or(0_u64).saturating_add(micros(one).ok_or(())?)),
        }
    }
    Ok(sum)
}
