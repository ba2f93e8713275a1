//! What does the kernel think of its clock? The project's one door to `unsafe`: a single system call that no safe crate
//! of the tree has.

use std::io;
use std::mem::MaybeUninit;

/// What `adjtimex(2)` answers; field by field `struct timex` of linux/timex.h, in the kernel's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the call returns: `TIME_OK` (0) to `TIME_ERROR` (5).
    pub state: i32,
    /// Bits of the status, `STA_*`.
    pub status: i32,
    /// What is still to be corrected, in microseconds, or in nanoseconds with `STA_NANO`.
    pub offset: i64,
    /// How the clock's frequency is corrected, in parts per million with 16 bits behind the point.
    pub frequency: i64,
    /// The largest error, in microseconds.
    pub error_max: i64,
    /// The estimated error, in microseconds.
    pub error: i64,
    /// The time constant of the phase-locked loop.
    pub constant: i64,
    /// Between two ticks, in microseconds.
    pub tick: i64,
    /// The frequency of the pulse per second, scaled as `frequency`.
    pub pulse_frequency: i64,
    /// The jitter of the pulse per second, in the unit of `offset`.
    pub pulse_jitter: i64,
    /// How long the pulse per second is watched, in seconds as a power of two.
    pub pulse_shift: i32,
    /// The stability of the pulse per second, scaled as `frequency`.
    pub pulse_stability: i64,
    /// How often its jitter was too large.
    pub pulse_jitters: i64,
    /// How often it was calibrated.
    pub pulse_calibrations: i64,
    /// How often that failed.
    pub pulse_errors: i64,
    /// How often its stability was too poor.
    pub pulse_instabilities: i64,
    /// Between TAI and UTC, in seconds.
    pub tai: i32,
}

/// Asks the kernel, and changes nothing.
///
/// # Errors
///
/// `PermissionDenied` where a seccomp profile forbids the call; the kernel gives no other for a question.
pub fn read() -> io::Result<Reading> {
    let mut told = MaybeUninit::<libc::timex>::zeroed();
    #[expect(unsafe_code, reason = "no safe crate of the tree has this call")]
    // SAFETY: `timex` holds integers only, so all zeros are a value of it, and `modes` 0 asks without setting anything
    // (adjtimex(2)). The pointer is to a whole `timex` that nobody else has, and the kernel writes no more than that.
    let (state, told) = unsafe {
        let state = libc::adjtimex(told.as_mut_ptr());
        (state, told.assume_init())
    };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Reading {
        state,
        status: told.status,
        offset: told.offset,
        frequency: told.freq,
        error_max: told.maxerror,
        error: told.esterror,
        constant: told.constant,
        tick: told.tick,
        pulse_frequency: told.ppsfreq,
        pulse_jitter: told.jitter,
        pulse_shift: told.shift,
        pulse_stability: told.stabil,
        pulse_jitters: told.jitcnt,
        pulse_calibrations: told.calcnt,
        pulse_errors: told.errcnt,
        pulse_instabilities: told.stbcnt,
        tai: told.tai,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_for_this_machine() {
        let told = read().unwrap();
        assert!((0..=5).contains(&told.state), "{told:?}");
        // 10,000 at 100 ticks a second; the kernel takes nothing beyond a tenth more or less.
        assert!((9_000..=11_000).contains(&told.tick), "{told:?}");
    }
}
