//! The page says what is wrong, and no name gets out of its place.

use super::*;
use crate::snapshot::testing;

#[test]
fn a_hostile_name_stays_text() {
    let page = render(&testing::snapshot(&[(
        "<script>",
        "\"><img src=x onerror=alert(1)>",
        "'x",
    )]));
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;"), "{page}");
}

#[test]
fn the_first_sentence_is_the_state() {
    let well = testing::snapshot(&[]);
    assert!(render(&well).contains("All is well"));
    let full = testing::changed(&well, |status| {
        status.sink_trouble = Some("no space left on device".to_owned());
    });
    assert!(
        render(&full).contains("Needs a look: lines can&#39;t be kept: no space left on device.")
    );
    let hangs = testing::changed(&well, |status| status.turned_seconds_ago = 75.0);
    assert!(render(&hangs).contains("Broken: the collector&#39;s loop has not turned for 75 s."));
    let lost = testing::changed(&well, |status| {
        status.total.abandoned = 2048;
        status.abandoned_bytes.insert("deleted".to_owned(), 2048);
    });
    assert!(render(&lost).contains("<tr><td>deleted<td class=n>2 KiB<td class=n>0"));
}

#[test]
fn ten_thousand_streams_make_a_page_of_the_worst() {
    let names: Vec<String> = (0..10_000).map(|number| format!("pod-{number}")).collect();
    let names: Vec<(&str, &str, &str)> = names
        .iter()
        .map(|name| ("shop", name.as_str(), "app"))
        .collect();
    let page = render(&testing::snapshot(&names));
    assert!(page.contains(&format!("{STREAMS_MAX} of 10000")));
    assert!(page.len() < 512 << 10, "{}", page.len());
}
