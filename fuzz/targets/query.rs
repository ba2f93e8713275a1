//! A query of any content: it is read and can be written so that it is read the same, or the error points into it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use query::language;

fuzz_target!(|text: &str| match language::parse(text) {
    Ok(predicate) => {
        let printed = language::print(&predicate);
        if printed.len() <= language::QUERY_BYTES_MAX {
            assert_eq!(language::parse(&printed).as_ref(), Ok(&predicate), "{printed}");
        }
    }
    Err(error) => {
        assert!(error.query.get(error.span.clone()).is_some(), "{error:?}");
        assert!(!error.to_string().is_empty());
    }
});
