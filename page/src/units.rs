//! How are sizes and times shown to people? `64 KiB`, `1.5 GiB`, `5s`, `1h 30m`.

/// Writes a size with at most one decimal: `1.5 GiB`.
pub fn bytes_text(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for name in units {
        unit = name;
        if value < 1024.0 {
            break;
        }
        if name != "PiB" {
            value /= 1024.0;
        }
    }
    if value < 10.0 && unit != "B" && value.fract() >= 0.05 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// Writes a duration with its one or two largest units: `1h 30m`.
pub fn seconds_text(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "never".to_owned();
    }
    let whole = seconds.max(0.0) as u64;
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{small_unit}"),
    };
    match whole {
        0..10 if seconds > 0.0 => format!("{seconds:.1}s"),
        0..60 => format!("{whole}s"),
        60..3_600 => two(whole / 60, "m", whole % 60, "s"),
        3_600..86_400 => two(whole / 3_600, "h", whole % 3_600 / 60, "m"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_short_to_read() {
        assert_eq!(bytes_text(0), "0 B");
        assert_eq!(bytes_text(1023), "1023 B");
        assert_eq!(bytes_text(1536), "1.5 KiB");
        assert_eq!(bytes_text(64 << 20), "64 MiB");
        assert_eq!(bytes_text(u64::MAX), "16384 PiB");
        assert_eq!(seconds_text(0.0), "0s");
        assert_eq!(seconds_text(1.25), "1.2s");
        assert_eq!(seconds_text(59.9), "59s");
        assert_eq!(seconds_text(5_400.0), "1h 30m");
        assert_eq!(seconds_text(90_000.0), "1d 1h");
        assert_eq!(seconds_text(f64::INFINITY), "never");
    }
}
