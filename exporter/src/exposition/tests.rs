//! What clients write, and what they should not.

use proptest::prelude::*;

use super::*;
use crate::family::Families;
use crate::text;

fn written(groups: Vec<Group>) -> String {
    let mut families = Families::new(usize::MAX);
    for group in groups {
        families.insert(group);
    }
    families.settle();
    let mut out = String::new();
    for group in families.groups() {
        text::write(group, &mut out);
    }
    out
}

#[test]
fn a_text_comes_out_as_it_went_in() {
    let text = "\
# HELP jobs_total Jobs\\nof \\\\all kinds.
# TYPE jobs_total counter
jobs_total{kind=\"a \\\"b\\\"\"} 18446744073709551615
# HELP size_bytes
# TYPE size_bytes gauge
size_bytes 0.25
# HELP took_seconds Took.
# TYPE took_seconds histogram
took_seconds_bucket{le=\"0.5\"} 1
took_seconds_bucket{le=\"1.0\"} 2
took_seconds_bucket{le=\"+Inf\"} 3
took_seconds_sum 3.5
took_seconds_count 3
# HELP wait_seconds Wait.
# TYPE wait_seconds summary
wait_seconds{x=\"1\",quantile=\"0.5\"} NaN
wait_seconds_sum{x=\"1\"} 1
wait_seconds_count{x=\"1\"} 2
";
    let found = written(parse(text, &[], 100).unwrap());
    assert_eq!(
        found,
        text.replace("size_bytes\n# TYPE", "size_bytes \n# TYPE")
    );
}

#[test]
fn labels_of_ours_win_and_theirs_are_renamed() {
    let own = [("pod", "web-1"), ("source", "agent")];
    let found = written(parse("x{pod=\"lie\",a=\"b\"} 1 1700000000000\n", &own, 100).unwrap());
    assert_eq!(
        found,
        "# HELP x \n# TYPE x untyped\nx{a=\"b\",exported_pod=\"lie\",pod=\"web-1\",source=\"agent\"} 1\n"
    );
    let forged = "x{instance=\"10.0.0.1:9797\",node=\"n2\"} 1\n";
    assert!(
        written(parse(forged, &own, 100).unwrap())
            .contains("x{exported_instance=\"10.0.0.1:9797\",exported_node=\"n2\",pod=")
    );
    let twice = "x{pod=\"a\",exported_pod=\"b\"} 1\n";
    assert!(written(parse(twice, &own, 100).unwrap()).contains("exported_pod=\"a\",pod"));
}

#[test]
fn a_family_in_the_place_of_anothers_part_is_left_out() {
    let text = "x_count 5\n# TYPE x summary\nx_sum 1\n";
    let found = written(parse(text, &[], 100).unwrap());
    assert!(!found.contains("x_count 5"), "{found}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, why) in [
        ("x\n", "a sample without a value"),
        ("x{} \n", "a sample without a value"),
        ("x{a=\"b} 1\n", "a value that does not end"),
        ("x{a=b} 1\n", "a value without quotes"),
        ("x{a} 1\n", "a label without a value"),
        ("x{1=\"a\"} 1\n", "no name of a label"),
        ("x{__name__=\"a\"} 1\n", "no name of a label"),
        (
            "x{a=\"1\",a=\"2\"} 1\n",
            "a label twice, or too many of them",
        ),
        ("x one\n", "a value that is no number"),
        ("<html> <body>\n", "no name of a metric"),
        (
            "# TYPE x histogram\nx_bucket 1\n",
            "a bucket without its bound",
        ),
        ("a 1\nb 1\nc 1\n", "too many series"),
    ] {
        let refused = parse(text, &[], 2).unwrap_err();
        assert_eq!(refused.why, why, "{text:?}");
    }
    assert_eq!(parse("a 1\n\nb\n", &[], 2).unwrap_err().line, 3);
}

proptest! {
    #[test]
    fn any_text_ends_and_what_is_read_reads_again(
        text in "((# (TYPE|HELP) [ab]_?(count|sum)? (histogram|summary|gauge|x)|[ab](_bucket|_count|_sum)?(\\{(le|quantile|c)=\"[0-9.\\\\\"a]{0,4}\"\\})? [0-9NaIinf.-]{1,4}|[ -~]{0,20})\n){0,20}"
    ) {
        if let Ok(groups) = parse(&text, &[("pod", "p")], 100) {
            let once = written(groups);
            let again = parse(&once, &[], 1000);
            prop_assert!(again.is_ok(), "{once}\n{again:?}");
            prop_assert_eq!(written(again.unwrap_or_default()), once);
        }
    }
}
