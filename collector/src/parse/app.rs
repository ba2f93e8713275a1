//! Is a message a JSON object that an index can take?
//!
//! The text itself is kept; it is only read through. What an index would refuse is no `app`: more levels than a
//! flattened field takes, numbers out of range, halves of surrogate pairs. A newline would end a bulk request's line.

use std::fmt;

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How many levels of objects and arrays are taken, the outermost included; a flattened field's own limit is 20.
const DEPTH_MAX: u32 = 20;

/// The message without the white space around it, if it is such an object.
pub(crate) fn object(message: &str) -> Option<&str> {
    let text = message.trim_ascii();
    if !text.starts_with('{') || !text.ends_with('}') || memchr(b'\n', text.as_bytes()).is_some() {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    Checked {
        depth_left: DEPTH_MAX,
    }
    .deserialize(&mut reader)
    .ok()?;
    reader.end().ok()?;
    Some(text)
}

/// Reads a value through, to a depth.
#[derive(Clone, Copy)]
struct Checked {
    depth_left: u32,
}

// === impl Checked ===

impl Checked {
    fn below<E: Error>(self) -> Result<Self, E> {
        let depth_left = self
            .depth_left
            .checked_sub(1)
            .ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while values.next_element_seed(below)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while members.next_key_seed(below)?.is_some() {
            members.next_value_seed(below)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))
    }

    #[test]
    fn objects_are_taken_as_they_stand_and_nothing_else_is() {
        assert_eq!(
            object(" {\"a\" : [1, null, \"\\u00e9\"]} "),
            Some("{\"a\" : [1, null, \"\\u00e9\"]}")
        );
        assert_eq!(object("{}"), Some("{}"));
        assert!(object(&nested(20)).is_some());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(400_000), "]".repeat(400_000));
        for refused in [
            "",
            "{",
            "}",
            "{a}",
            "[1]",
            "{} {}",
            "x {}",
            "{\"a\":1}}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            "{\n}",
            &nested(21),
            &deep,
        ] {
            assert_eq!(object(refused), None, "{refused:.40}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_json(text in r#"\{[{}\[\]",:a1\\ue. -]{0,30}\}"#) {
            if let Some(app) = object(&text) {
                prop_assert!(serde_json::from_str::<serde_json::Value>(app).unwrap().is_object());
            }
        }
    }
}
