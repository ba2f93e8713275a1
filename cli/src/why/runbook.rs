//! What is to be done first? The steps of an alert's runbook.

use alertrules::runbook;

/// So many steps are a beginning; the runbook has the rest.
const STEPS_MAX: usize = 3;

/// The first steps of the runbook's part `Look here`; none where the alert has no runbook of ours.
pub(super) fn steps(alert: &str) -> Vec<String> {
    let part = runbook::of(alert).and_then(|page| page.part("Look here"));
    list(part.unwrap_or_default())
}

/// The items of a list in Markdown, each on one line.
fn list(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(item) = line.strip_prefix("- ") {
            items.push(item.trim().to_owned());
        } else if let Some(item) = items.last_mut() {
            *item = format!("{item} {}", line.trim());
        }
    }
    // That has just been done.
    items.retain(|item| !item.starts_with("`nodetap why`"));
    items.truncate(STEPS_MAX);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_several_lines_is_one_step() {
        let text = "- `nodetap why`: and so on\n- `one`\n- two\n  and more\n- three\n- four";
        assert_eq!(list(text), ["`one`", "two and more", "three"]);
        assert!(!steps("CoreSwitchUnreachable").is_empty());
        assert!(steps("Foreign").is_empty());
    }
}
