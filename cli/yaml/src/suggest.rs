//! Which key was meant? The nearest right one to a wrong one.

/// The sentence for a key that is not there, with the nearest of `known` when one is near.
pub fn unknown(wrong: &str, known: &[&str]) -> String {
    let shown: String = wrong.chars().take(60).collect();
    match nearest(wrong, known) {
        Some(right) => format!("unknown key `{shown}`; did you mean `{right}`?"),
        None => format!("unknown key `{shown}`; known here: {}", known.join(", ")),
    }
}

/// The one of `known` that differs least, if it differs by no more than a third of its letters (two at least).
pub fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    if wrong.len() > 64 {
        return None;
    }
    let lower = wrong.to_ascii_lowercase().replace('-', "_");
    known
        .iter()
        .map(|right| (strsim::damerau_levenshtein(&lower, right), *right))
        .filter(|(distance, right)| {
            *distance <= (right.len() / 3).max(2).min(right.len().saturating_sub(1))
        })
        .min()
        .map(|(_, right)| right)
}
