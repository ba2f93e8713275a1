//! Is the clock right, and does something keep it so?
//!
//! `node_timex_*` have the names, kinds and meanings of `node_exporter`: the kernel's own view by `adjtimex(2)`, which
//! whoever disciplines the clock (chronyd, ntpd, systemd-timesyncd) sets. Leases, certificates and the order of lines
//! depend on it, so it stands beside the control plane's restarts.

use std::io;

use adjtimex::Reading;

use crate::family::{Families, Family};
use crate::labels::Labels;
use crate::probe::{Context, Entry, Pace, Probe, ProbeError, Reason};

/// The line of the table.
pub const ENTRY: Entry = Entry {
    name: "clock",
    about: "Is the clock right, and does something keep it so?",
    families: FAMILIES,
    pace: Pace::Scrape,
    series_max: 100,
    make: |_| Box::new(Clock),
};

const OFFSET: Family = Family::gauge(
    "node_timex_offset_seconds",
    &[],
    "How far the clock is from its reference, in seconds; what is still to be corrected.",
);
const FREQUENCY: Family = Family::gauge(
    "node_timex_frequency_adjustment_ratio",
    &[],
    "How much faster than its own the clock is made to run, as a factor.",
);
const ERROR_MAX: Family = Family::gauge(
    "node_timex_maxerror_seconds",
    &[],
    "The largest error that the clock may have, in seconds.",
);
const ERROR: Family = Family::gauge(
    "node_timex_estimated_error_seconds",
    &[],
    "The error that whoever keeps the clock estimates, in seconds.",
);
const STATUS: Family = Family::gauge(
    "node_timex_status",
    &[],
    "The bits of the clock's status (STA_* of linux/timex.h).",
);
const CONSTANT: Family = Family::gauge(
    "node_timex_loop_time_constant",
    &[],
    "The time constant of the loop that steers the clock.",
);
const TICK: Family = Family::gauge(
    "node_timex_tick_seconds",
    &[],
    "Between two ticks of the clock, in seconds.",
);
const PPS_FREQUENCY: Family = Family::gauge(
    "node_timex_pps_frequency_hertz",
    &[],
    "The frequency of the pulse per second, in hertz.",
);
const PPS_JITTER: Family = Family::gauge(
    "node_timex_pps_jitter_seconds",
    &[],
    "The jitter of the pulse per second, in seconds.",
);
const PPS_SHIFT: Family = Family::gauge(
    "node_timex_pps_shift_seconds",
    &[],
    "How long the pulse per second is watched at a time, as the kernel counts it.",
);
const PPS_STABILITY: Family = Family::gauge(
    "node_timex_pps_stability_hertz",
    &[],
    "How much the frequency of the pulse per second has changed of late, in hertz.",
);
const PPS_JITTER_TOTAL: Family = Family::counter(
    "node_timex_pps_jitter_total",
    &[],
    "How often the jitter of the pulse per second was too large.",
);
const PPS_CALIBRATIONS: Family = Family::counter(
    "node_timex_pps_calibration_total",
    &[],
    "How often the pulse per second was calibrated.",
);
const PPS_ERRORS: Family = Family::counter(
    "node_timex_pps_error_total",
    &[],
    "How often a calibration by the pulse per second failed.",
);
const PPS_STABILITY_EXCEEDED: Family = Family::counter(
    "node_timex_pps_stability_exceeded_total",
    &[],
    "How often the pulse per second was not stable enough.",
);
const TAI: Family = Family::gauge(
    "node_timex_tai_offset_seconds",
    &[],
    "Between International Atomic Time and UTC, in seconds.",
);
const SYNC: Family = Family::gauge(
    "node_timex_sync_status",
    &[],
    "Whether something keeps the clock right.",
);

const FAMILIES: &[Family] = &[
    OFFSET,
    FREQUENCY,
    ERROR_MAX,
    ERROR,
    STATUS,
    CONSTANT,
    TICK,
    PPS_FREQUENCY,
    PPS_JITTER,
    PPS_SHIFT,
    PPS_STABILITY,
    PPS_JITTER_TOTAL,
    PPS_CALIBRATIONS,
    PPS_ERRORS,
    PPS_STABILITY_EXCEEDED,
    TAI,
    SYNC,
];

/// `STA_NANO` of linux/timex.h: offset and jitter are in nanoseconds, else in microseconds.
const STATUS_NANOSECONDS: i32 = 0x2000;
/// `TIME_ERROR` of linux/timex.h: the state of a clock that nobody synchronises.
const STATE_ERROR: i32 = 5;
const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;
/// Frequencies are in parts per million with 16 bits behind the point.
const FREQUENCY_UNIT: f64 = 1e6 * 65_536.0;

#[derive(Debug)]
struct Clock;

impl Probe for Clock {
    fn collect(&mut self, _: &Context<'_>, out: &mut Families) -> Result<(), ProbeError> {
        let told = adjtimex::read().map_err(|source| match source.kind() {
            // A container's seccomp profile may forbid the call.
            io::ErrorKind::PermissionDenied => {
                ProbeError::unavailable(Reason::Permission, "adjtimex is forbidden")
            }
            _ => ProbeError::Kernel {
                what: "the state of the clock",
                source,
            },
        })?;
        emit(&told, out);
        Ok(())
    }
}

fn emit(told: &Reading, out: &mut Families) {
    let unit = if told.status & STATUS_NANOSECONDS == 0 {
        MICROSECONDS
    } else {
        NANOSECONDS
    };
    let values = [
        (&OFFSET, told.offset as f64 / unit),
        (&FREQUENCY, 1.0 + told.frequency as f64 / FREQUENCY_UNIT),
        (&ERROR_MAX, told.error_max as f64 / MICROSECONDS),
        (&ERROR, told.error as f64 / MICROSECONDS),
        (&STATUS, f64::from(told.status)),
        (&CONSTANT, told.constant as f64),
        (&TICK, told.tick as f64 / MICROSECONDS),
        (&PPS_FREQUENCY, told.pulse_frequency as f64 / FREQUENCY_UNIT),
        (&PPS_JITTER, told.pulse_jitter as f64 / unit),
        (&PPS_SHIFT, f64::from(told.pulse_shift)),
        (&PPS_STABILITY, told.pulse_stability as f64 / FREQUENCY_UNIT),
        (&PPS_JITTER_TOTAL, told.pulse_jitters as f64),
        (&PPS_CALIBRATIONS, told.pulse_calibrations as f64),
        (&PPS_ERRORS, told.pulse_errors as f64),
        (&PPS_STABILITY_EXCEEDED, told.pulse_instabilities as f64),
        (&TAI, f64::from(told.tai)),
    ];
    for (family, value) in values {
        out.push(family, &Labels::none(), value);
    }
    out.push(&SYNC, &Labels::none(), told.state != STATE_ERROR);
}

#[cfg(test)]
mod tests {
    use crate::text;

    use super::*;

    fn written(told: &Reading) -> String {
        let mut families = Families::new(ENTRY.series_max);
        emit(told, &mut families);
        let mut out = String::new();
        for group in families.groups() {
            text::write(group, &mut out);
        }
        out
    }

    #[test]
    fn units_follow_the_status() {
        let mut told = Reading {
            offset: 1_500_000,
            frequency: 65_536,
            error_max: 2_500,
            ..Reading::default()
        };
        let coarse = written(&told);
        for line in [
            "node_timex_offset_seconds 1.5\n",
            "node_timex_frequency_adjustment_ratio 1.000001\n",
            "node_timex_maxerror_seconds 0.0025\n",
            "node_timex_sync_status 1\n",
        ] {
            assert!(coarse.contains(line), "{line}{coarse}");
        }
        told.status = STATUS_NANOSECONDS;
        told.state = STATE_ERROR;
        let fine = written(&told);
        for line in [
            "node_timex_offset_seconds 0.0015\n",
            "node_timex_sync_status 0\n",
            "node_timex_status 8192\n",
        ] {
            assert!(fine.contains(line), "{line}{fine}");
        }
    }
}
