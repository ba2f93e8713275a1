//! How does Prometheus read it? The text format 0.0.4, one family after the other.

use std::fmt::Write;

use crate::family::{Group, Value};
use crate::labels::Labels;

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes one family: its help, its kind, its series.
pub fn write(group: &Group, out: &mut String) {
    let name = &group.name;
    out.push_str("# HELP ");
    out.push_str(name);
    out.push(' ');
    for letter in group.help.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push_str("\n# TYPE ");
    out.push_str(name);
    out.push(' ');
    out.push_str(group.kind.as_str());
    out.push('\n');
    for (labels, value) in &group.series {
        match value {
            Value::Whole(whole) => {
                sample(out, name, "", labels.as_str(), None);
                // Writing to a String can't fail.
                writeln!(out, " {whole}").unwrap_or_default();
            }
            Value::Number(number) => {
                sample(out, name, "", labels.as_str(), None);
                out.push(' ');
                self::number(out, *number);
                out.push('\n');
            }
            Value::Distribution(distribution) => {
                let all = (f64::INFINITY, distribution.count);
                for (bound, count) in distribution.buckets.iter().chain([&all]) {
                    line(
                        out,
                        group,
                        "_bucket",
                        labels,
                        Some(("le", *bound)),
                        *count as f64,
                    );
                }
                line(out, group, "_sum", labels, None, distribution.sum);
                line(
                    out,
                    group,
                    "_count",
                    labels,
                    None,
                    distribution.count as f64,
                );
            }
            Value::Summary(summary) => {
                for (quantile, value) in &summary.quantiles {
                    line(
                        out,
                        group,
                        "",
                        labels,
                        Some(("quantile", *quantile)),
                        *value,
                    );
                }
                line(out, group, "_sum", labels, None, summary.sum);
                line(out, group, "_count", labels, None, summary.count as f64);
            }
        }
    }
}

/// A line of a family that has several for each series.
fn line(
    out: &mut String,
    group: &Group,
    suffix: &str,
    labels: &Labels,
    bound: Option<(&str, f64)>,
    value: f64,
) {
    sample(out, &group.name, suffix, labels.as_str(), bound);
    out.push(' ');
    number(out, value);
    out.push('\n');
}

fn sample(out: &mut String, name: &str, suffix: &str, labels: &str, bound: Option<(&str, f64)>) {
    out.push_str(name);
    out.push_str(suffix);
    if labels.is_empty() && bound.is_none() {
        return;
    }
    out.push('{');
    out.push_str(labels);
    if let Some((label, bound)) = bound {
        if !labels.is_empty() {
            out.push(',');
        }
        out.push_str(label);
        out.push_str("=\"");
        // Prometheus 3 writes whole bounds as `1.0`; two spellings would be two series.
        if bound.is_finite() && bound.fract() == 0.0 {
            write!(out, "{bound:.1}").unwrap_or_default();
        } else {
            number(out, bound);
        }
        out.push('"');
    }
    out.push('}');
}

fn number(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write!(out, "{value}").unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::{Distribution, Families, Family, Summary};

    const SIMPLE: Family = Family::gauge("simple", &["x"], "Back\\slash and\nnewline.");
    const WAITS: Family = Family::summary("waits_seconds", &[], "Waits.");
    const TIMES: Family = Family::histogram("times_seconds", &["x"], "Times.");

    #[test]
    fn the_text_format() {
        let mut families = Families::new(10);
        families.push(&SIMPLE, &Labels::none(), u64::MAX);
        families.push(&SIMPLE, &Labels::of(&[("x", "a\"b")]), f64::INFINITY);
        families.push(&SIMPLE, &Labels::of(&[("x", "c")]), 0.25);
        let distribution = Distribution {
            buckets: vec![(0.5, 1), (1.0, 2)],
            sum: 3.5,
            count: 3,
        };
        families.push(
            &TIMES,
            &Labels::of(&[("x", "d")]),
            Value::Distribution(Box::new(distribution)),
        );
        let summary = Summary {
            quantiles: vec![(0.99, 0.5)],
            sum: 1.5,
            count: 2,
        };
        families.push(&WAITS, &Labels::none(), Value::Summary(Box::new(summary)));
        families.settle();
        let mut out = String::new();
        for group in families.groups() {
            write(group, &mut out);
        }
        assert_eq!(
            out,
            r#"# HELP simple Back\\slash and\nnewline.
# TYPE simple gauge
simple 18446744073709551615
simple{x="a\"b"} +Inf
simple{x="c"} 0.25
# HELP times_seconds Times.
# TYPE times_seconds histogram
times_seconds_bucket{x="d",le="0.5"} 1
times_seconds_bucket{x="d",le="1.0"} 2
times_seconds_bucket{x="d",le="+Inf"} 3
times_seconds_sum{x="d"} 3.5
times_seconds_count{x="d"} 3
# HELP waits_seconds Waits.
# TYPE waits_seconds summary
waits_seconds{quantile="0.99"} 0.5
waits_seconds_sum 1.5
waits_seconds_count 2
"#
        );
    }
}
