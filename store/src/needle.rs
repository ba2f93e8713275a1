//! Where in many texts is this one? Searched over the bytes of a whole column at once.

use regex::bytes;

use crate::text::fold;

/// A text to look for, whatever the case of its letters.
#[derive(Debug)]
pub(crate) struct Needle {
    folded: String,
    /// Finds an ASCII needle, or the longest ASCII piece of another, in raw bytes.
    finder: Option<Finder>,
    /// Whether a find by `finder` is a match of the whole.
    exact: bool,
}

/// Finds an ASCII text in raw bytes, whatever the case of its letters.
#[derive(Debug)]
struct Finder {
    piece: Vec<u8>,
    search: Search,
}

#[derive(Debug)]
enum Search {
    /// Look for a part that has no letters, which begins here in the piece: the fastest there is.
    Letterless(usize, Box<memchr::memmem::Finder<'static>>),
    /// Case-insensitive literals become a vectorized search of several literals.
    Variants(bytes::Regex),
}

/// A part without letters must be so long to be rare, in bytes.
const LETTERLESS_BYTES: usize = 4;

// === impl Finder ===

impl Finder {
    fn new(piece: &str) -> Option<Self> {
        let bytes = piece.as_bytes();
        let mut best = 0..0;
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if byte.is_ascii_alphabetic() {
                start = at + 1;
            } else if at + 1 - start > best.len() {
                best = start..at + 1;
            }
        }
        let search = if best.len() >= LETTERLESS_BYTES {
            let part = bytes.get(best.clone())?;
            Search::Letterless(
                best.start,
                Box::new(memchr::memmem::Finder::new(part).into_owned()),
            )
        } else {
            let variants = bytes::RegexBuilder::new(&regex::escape(piece))
                .case_insensitive(true)
                .unicode(false)
                .size_limit(1 << 26)
                .build();
            Search::Variants(variants.ok()?)
        };
        Some(Self {
            piece: bytes.to_vec(),
            search,
        })
    }

    /// Where it begins at or after `at`.
    fn find(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match &self.search {
            Search::Variants(variants) => variants.find_at(bytes, at).map(|hit| hit.start()),
            Search::Letterless(offset, part) => {
                let mut from = at.checked_add(*offset)?;
                loop {
                    let hit = from + part.find(bytes.get(from..)?)?;
                    let start = hit - offset;
                    let whole = bytes.get(start..start + self.piece.len())?;
                    if whole.eq_ignore_ascii_case(&self.piece) {
                        return Some(start);
                    }
                    from = hit + 1;
                }
            }
        }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.find(bytes, 0).is_some()
    }
}

// === impl Needle ===

impl Needle {
    pub(crate) fn new(needle: &str) -> Self {
        let folded = fold(needle).into_owned();
        let exact = folded.is_ascii();
        let piece = folded
            .split(|c: char| !c.is_ascii())
            .max_by_key(|piece| piece.len());
        let finder = piece
            .filter(|piece| !piece.is_empty())
            .and_then(Finder::new);
        Self {
            folded,
            finder,
            exact,
        }
    }

    /// Whether it could be among the bytes of many texts; never wrong when it says no.
    pub(crate) fn may_be_among(&self, bytes: &[u8]) -> bool {
        self.finder
            .as_ref()
            .is_none_or(|finder| finder.is_in(bytes))
    }

    /// Whether [`Needle::may_be_among`] can ever say no.
    pub(crate) fn can_rule_out(&self) -> bool {
        self.finder.is_some()
    }

    /// Whether it is in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        match &self.finder {
            Some(finder) if self.exact => finder.is_in(text.as_bytes()),
            Some(finder) => finder.is_in(text.as_bytes()) && self.is_folded_in(text),
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
        let Some(finder) = self.finder.as_ref().filter(|_| !self.folded.is_empty()) else {
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
        while let Some(hit) = bytes.get(..limit).and_then(|bytes| finder.find(bytes, at)) {
            // The row in which the hit begins; hits come in order, so it is near the last one.
            row += ends
                .get(row + 1..=rows.end)
                .unwrap_or_default()
                .partition_point(|end| *end as usize <= hit);
            let end = end_of(row + 1);
            if hit + finder.piece.len() > end {
                // It runs over the end of a text; one that begins later may still be whole.
                at = hit + 1;
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
            texts in prop::collection::vec("[aAbB01\u{212a}İßäÄ ]{0,9}", 0..12),
            needle in "[aAbBßäÄ]{0,3}[01]{0,5}[aA]{0,1}",
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
