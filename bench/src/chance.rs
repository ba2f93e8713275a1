//! Which of the possible workloads is it? Pseudo-random choices: the same seed makes the same run.

/// The next well-mixed number after `state` (the `SplitMix64` generator of Steele, Lea and Flood, 2014).
pub fn splitmix64(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
