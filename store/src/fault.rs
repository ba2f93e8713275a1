//! Where may the disk fail? Each place asks here first, so that tests can say "the next one".

use std::io;

/// Fails when a test asked for it; outside tests never.
#[cfg_attr(
    not(test),
    expect(clippy::unnecessary_wraps, reason = "only tests have faults")
)]
pub(crate) fn point(action: &'static str) -> io::Result<()> {
    #[cfg(test)]
    return armed::point(action);
    #[cfg(not(test))]
    {
        let _ = action;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod armed {
    //! Faults of this thread.

    use std::cell::RefCell;
    use std::io;

    thread_local! {
        static PLAN: RefCell<Option<(&'static str, u32, u32)>> = const { RefCell::new(None) };
    }

    /// From its `skip`-th next time on, `action` fails `times` times as if the disk were full.
    pub(crate) fn fail(action: &'static str, skip: u32, times: u32) {
        PLAN.with_borrow_mut(|plan| *plan = Some((action, skip, times)));
    }

    pub(super) fn point(action: &'static str) -> io::Result<()> {
        PLAN.with_borrow_mut(|plan| match plan {
            Some((planned, 0, times)) if *planned == action && *times > 0 => {
                *times -= 1;
                Err(io::Error::from_raw_os_error(28))
            }
            Some((planned, skip, _)) if *planned == action && *skip > 0 => {
                *skip -= 1;
                Ok(())
            }
            _ => Ok(()),
        })
    }
}
