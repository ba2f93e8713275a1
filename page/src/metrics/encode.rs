//! How is it written? The door to the `prometheus` crate, whose text encoder escapes what tenants name.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};

use super::families::Kind;

/// Labels in the order of their names, and a value.
pub(super) type Series = (Vec<LabelPair>, Value);

/// A series' value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Of a counter or gauge.
    Number(f64),
    /// Of a histogram.
    Histogram {
        /// Upper bounds, ascending.
        bounds: Vec<f64>,
        /// How many were at most their bound and above the one before; one more for those above all.
        counts: Vec<u64>,
        /// The sum of all.
        sum: f64,
    },
}

/// A label.
pub(super) fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

/// One family with all its series.
pub(super) fn family(name: &str, help: &str, kind: Kind, series: Vec<Series>) -> MetricFamily {
    let mut out = MetricFamily::default();
    out.set_name(name.to_owned());
    out.set_help(help.to_owned());
    out.set_field_type(match kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    let metrics = series.into_iter().map(|(labels, value)| {
        let mut metric = Metric::default();
        metric.set_label(labels);
        match (kind, value) {
            (Kind::Counter, Value::Number(value)) => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            (Kind::Gauge | Kind::Histogram, Value::Number(value)) => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            (
                _,
                Value::Histogram {
                    bounds,
                    counts,
                    sum,
                },
            ) => metric.set_histogram(histogram(&bounds, &counts, sum)),
        }
        metric
    });
    out.set_metric(metrics.collect());
    out
}

fn histogram(bounds: &[f64], counts: &[u64], sum: f64) -> Histogram {
    let mut histogram = Histogram::default();
    let mut total = 0;
    let mut buckets = Vec::with_capacity(bounds.len());
    for (bound, count) in bounds.iter().zip(counts) {
        total += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(total);
        buckets.push(bucket);
    }
    histogram.set_bucket(buckets);
    // The encoder adds the bucket of +Inf from this.
    histogram.set_sample_count(counts.iter().sum());
    histogram.set_sample_sum(sum);
    histogram
}

/// The exposition of families (Prometheus text format 0.0.4).
pub(super) fn text(families: &[MetricFamily]) -> Result<String, prometheus::Error> {
    let mut out = Vec::with_capacity(64 << 10);
    TextEncoder::new().encode(families, &mut out)?;
    // The encoder writes Rust's `inf`; the format's own spelling is `+Inf`. A label can't end a line, so only values match.
    Ok(String::from_utf8_lossy(&out).replace(" inf\n", " +Inf\n"))
}
