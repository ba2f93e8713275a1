//! How late did records come? A histogram with 32 steps in every power of two: at most 3 % off.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const STEPS: usize = 32;
const STEP_BITS: u32 = STEPS.ilog2();

/// Counts of latencies in microseconds.
#[derive(Debug)]
pub(super) struct Latencies(Vec<AtomicU64>);

impl Latencies {
    pub(super) fn new() -> Self {
        Self((0..64 * STEPS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(super) fn add(&self, micros: u64) {
        self.0[bucket(micros)].fetch_add(1, Relaxed);
    }

    pub(super) fn clear(&self) {
        self.0.iter().for_each(|count| count.store(0, Relaxed));
    }

    /// The latency that `share` of the records did not exceed, rounded down to a step; 0 when there are none.
    pub(super) fn percentile_micros(&self, share: f64) -> u64 {
        let total: u64 = self.0.iter().map(|count| count.load(Relaxed)).sum();
        let wanted = ((total as f64 * share).ceil() as u64).max(1);
        let mut sum = 0;
        let found = self.0.iter().position(|count| {
            sum += count.load(Relaxed);
            sum >= wanted
        });
        found.map_or(0, bucket_start)
    }
}

fn bucket(micros: u64) -> usize {
    if micros < STEPS as u64 {
        return micros as usize;
    }
    let exponent = micros.ilog2();
    let step = (micros >> (exponent - STEP_BITS)) as usize & (STEPS - 1);
    (exponent - STEP_BITS + 1) as usize * STEPS + step
}

fn bucket_start(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    ((STEPS + bucket % STEPS) as u64) << (bucket / STEPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_starts_where_the_one_before_ends() {
        for micros in (0..5000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let bucket = bucket(micros);
            assert!(bucket_start(bucket) <= micros);
            assert!(micros - bucket_start(bucket) <= micros / STEPS as u64);
        }
    }

    #[test]
    fn percentiles_of_nothing_and_of_three() {
        let latencies = Latencies::new();
        assert_eq!(latencies.percentile_micros(0.99), 0);
        for micros in [1, 2, 64] {
            latencies.add(micros);
        }
        assert_eq!(latencies.percentile_micros(0.5), 2);
        assert_eq!(latencies.percentile_micros(1.0), 64);
    }
}
