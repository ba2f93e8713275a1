//! What does a receiver understand? Samples as the requests of Prometheus remote write 1.0: protobuf, in snappy's block
//! format; pure.
//!
//! `WriteRequest { repeated TimeSeries timeseries = 1 }`, `TimeSeries { repeated Label labels = 1; repeated Sample samples
//! = 2 }`, `Label { string name = 1; string value = 2 }`, `Sample { double value = 1; int64 timestamp = 2 }`. Labels are
//! sorted by name, and one without a value is left out, for it is none.

use crate::family::Families;
use crate::text;

/// So many samples go into one request; some hundred kilobytes before they are compressed.
const SAMPLES_MAX: usize = 5_000;

/// How a field's bytes are to be read: the low three bits before it.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its body, compressed.
    pub body: Vec<u8>,
    /// How many samples it has.
    pub samples: u64,
}

/// Makes requests of all families, at a time in milliseconds since the epoch. `target` are labels that every series
/// gets that has none of that name itself.
pub fn parcels(families: &Families, target: &[(String, String)], time_ms: i64) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    let (mut request, mut samples) = (Vec::new(), 0);
    let mut lines = String::new();
    for group in families.groups() {
        lines.clear();
        text::write(group, &mut lines);
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            let Some((mut labels, value)) = series(line) else {
                continue;
            };
            for (name, value) in target {
                if !labels.iter().any(|(known, _)| known == name) {
                    labels.push((name.clone(), value.clone()));
                }
            }
            labels.retain(|(_, value)| !value.is_empty());
            labels.sort_unstable();
            bytes_field(1, &time_series(&labels, value, time_ms), &mut request);
            samples += 1;
            if samples == SAMPLES_MAX {
                parcels.extend(parcel(&mut request, &mut samples));
            }
        }
    }
    parcels.extend(parcel(&mut request, &mut samples));
    parcels
}

fn parcel(request: &mut Vec<u8>, samples: &mut usize) -> Option<Parcel> {
    let (whole, count) = (std::mem::take(request), std::mem::take(samples));
    if count == 0 {
        return None;
    }
    let body = snap::raw::Encoder::new().compress_vec(&whole).ok()?;
    Some(Parcel {
        body,
        samples: count as u64,
    })
}

/// Reads a line of the text format: the labels, the name among them, and the value.
fn series(line: &str) -> Option<(Vec<(String, String)>, f64)> {
    let name_end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_end);
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    let mut rest = rest;
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
    }
    let value = match rest.trim() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().ok()?,
    };
    Some((labels, value))
}

/// Undoes the escapes up to the closing quote; gives what stands behind it too.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn time_series(labels: &[(String, String)], value: f64, time_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        bytes_field(1, name.as_bytes(), &mut label);
        bytes_field(2, value.as_bytes(), &mut label);
        bytes_field(1, &label, &mut out);
    }
    let mut sample = Vec::new();
    sample.push((1 << 3) | FIXED_64);
    sample.extend(value.to_le_bytes());
    sample.push((2 << 3) | VARINT);
    varint(time_ms.cast_unsigned(), &mut sample);
    bytes_field(2, &sample, &mut out);
    out
}

fn bytes_field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push((number << 3) | LENGTH_DELIMITED);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::family::Family;
    use crate::labels::Labels;

    const FAMILY: Family = Family::gauge("a_b", &["x", "y"], "A.");

    #[test]
    fn one_series_to_the_byte() {
        let mut families = Families::new(9);
        families.push(&FAMILY, &Labels::of(&[("x", "1\"\\\n"), ("y", "")]), 2.0);
        let target = [
            ("job".to_owned(), "n".to_owned()),
            ("x".to_owned(), "not this".to_owned()),
        ];
        let [parcel] = &parcels(&families, &target, 300)[..] else {
            panic!("not one request");
        };
        assert_eq!(parcel.samples, 1);
        let plain = snap::raw::Decoder::new()
            .decompress_vec(&parcel.body)
            .unwrap();
        let mut wanted = b"\x0a\x34\x0a\x0f\x0a\x08__name__\x12\x03a_b\x0a\x08\x0a\x03job\x12\x01n\x0a\x09\x0a\x01x\x12\x041\"\\\n\x12\x0c\x09".to_vec();
        wanted.extend(2.0_f64.to_le_bytes());
        wanted.extend(b"\x10\xac\x02");
        assert_eq!(plain, wanted);
    }

    #[test]
    fn many_series_are_several_requests() {
        let mut families = Families::new(20_000);
        for number in 0..12_000_u64 {
            families.push(&FAMILY, &Labels::of(&[("x", &number.to_string())]), number);
        }
        let samples: Vec<u64> = parcels(&families, &[], 0)
            .iter()
            .map(|parcel| parcel.samples)
            .collect();
        assert_eq!(samples, [5_000, 5_000, 2_000]);
        assert_eq!(parcels(&Families::new(1), &[], 0), []);
    }

    proptest! {
        #[test]
        fn a_label_comes_out_as_it_went_in(value in "\\PC{0,20}[\"\\\\\n,}{ ]{0,5}") {
            let mut families = Families::new(9);
            families.push(&FAMILY, &Labels::of(&[("x", &value), ("y", "z")]), f64::INFINITY);
            let mut text = String::new();
            text::write(families.groups().next().unwrap(), &mut text);
            let (labels, number) = series(text.lines().last().unwrap()).unwrap();
            prop_assert_eq!(&labels[1].1, &value);
            prop_assert!(number.is_infinite());
        }
    }
}
