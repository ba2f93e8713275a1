//! Where in many texts is this one? Searched over the bytes of a whole column at once.

use regex::bytes;

use crate::text::fold;

/// A text to look for, whatever the case of its letters.
#[derive(Debug)]
pub(crate) struct Needle {
    folded: String,
    /// Finds an ASCII needle, or the longest ASCII piece of another, in raw bytes.
    ascii: Option<bytes::Regex>,
    /// Whether a find by `ascii` is a match of the whole.
    exact: bool,
}

// === impl Needle ===

impl Needle {
    pub(crate) fn new(needle: &str) -> Self {
        let folded = fold(needle).into_owned();
        let exact = folded.is_ascii();
        let piece = folded
            .split(|c: char| !c.is_ascii())
            .max_by_key(|piece| piece.len());
        // Case-insensitive literals become a vectorized search of several literals.
        let ascii = piece.filter(|piece| !piece.is_empty()).and_then(|piece| {
            bytes::RegexBuilder::new(&regex::escape(piece))
                .case_insensitive(true)
                .unicode(false)
                .size_limit(1 << 26)
                .build()
                .ok()
        });
        Self {
            folded,
            ascii,
            exact,
        }
    }

    /// Whether it could be among the bytes of many texts; never wrong when it says no.
    pub(crate) fn may_be_among(&self, bytes: &[u8]) -> bool {
        self.ascii
            .as_ref()
            .is_none_or(|ascii| ascii.is_match(bytes))
    }

    /// Whether [`Needle::may_be_among`] can ever say no.
    pub(crate) fn can_rule_out(&self) -> bool {
        self.ascii.is_some()
    }

    /// Whether it is in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        match &self.ascii {
            Some(ascii) if self.exact => ascii.is_match(text.as_bytes()),
            Some(ascii) => ascii.is_match(text.as_bytes()) && self.is_folded_in(text),
            None => !text.is_ascii() && self.is_folded_in(text),
        }
    }

    fn is_folded_in(&self, text: &str) -> bool {
        fold(text).contains(&self.folded)
    }

    /// Calls `found` with each of the rows `first..ends.len() - 1` whose text has it; row `i` is the bytes from
    /// `ends[i]` to `ends[i + 1]` of `bytes`.
    pub(crate) fn find_rows(
        &self,
        bytes: &[u8],
        ends: &[i32],
        rows: std::ops::Range<usize>,
        found: &mut dyn FnMut(usize),
    ) {
        let end_of = |row: usize| ends.get(row).map_or(0, |end| *end as usize);
        let Some(ascii) = self.ascii.as_ref().filter(|_| !self.folded.is_empty()) else {
            for row in rows {
                let text = bytes.get(end_of(row)..end_of(row + 1)).unwrap_or_default();
                if self.is_in(std::str::from_utf8(text).unwrap_or_default()) {
                    found(row);
                }
            }
            return;
        };
        let limit = end_of(rows.end);
        let mut at = end_of(rows.start);
        let mut row = rows.start;
        while let Some(hit) = bytes
            .get(..limit)
            .and_then(|bytes| ascii.find_at(bytes, at))
        {
            // The row in which the hit begins; hits come in order, so it is near the last one.
            row += ends
                .get(row + 1..=rows.end)
                .unwrap_or_default()
                .partition_point(|end| *end as usize <= hit.start());
            let end = end_of(row + 1);
            if hit.end() > end {
                // It runs over the end of a text; one that begins later may still be whole.
                at = hit.start() + 1;
                continue;
            }
            let text = bytes.get(end_of(row)..end).unwrap_or_default();
            if self.exact || std::str::from_utf8(text).is_ok_and(|text| self.is_folded_in(text)) {
                found(row);
            }
            at = end;
            row += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn searching_a_column_is_searching_its_texts(
            texts in prop::collection::vec("[aAbBkK\u{212a}İßäÄ ]{0,6}", 0..12),
            needle in "[aAbBkKßäÄ]{0,3}",
            cut in 0_usize..4,
        ) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for text in &texts {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len() as i32);
            }
            let rows = cut.min(texts.len())..texts.len();
            let mut found = Vec::new();
            let searched = Needle::new(&needle);
            searched.find_rows(&bytes, &ends, rows.clone(), &mut |row| found.push(row));
            let expect: Vec<usize> = rows
                .filter(|row| fold(&texts[*row]).contains(fold(&needle).as_ref()))
                .collect();
            prop_assert_eq!(&found, &expect);
            for row in expect {
                prop_assert!(searched.is_in(&texts[row]));
            }
        }
    }
}
