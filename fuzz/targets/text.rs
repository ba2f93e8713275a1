//! A plain file of any content: nothing panics, and every byte is accounted for.
#![no_main]

mod stream;

use libfuzzer_sys::fuzz_target;
use record::origin::Format;

fuzz_target!(|bytes: &[u8]| stream::feed(Format::Text, bytes));
