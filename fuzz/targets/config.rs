//! A configuration of any content: it is read, or its problems can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = cli::config::parse(text, &|name| (name.len() < 3).then(|| text.to_owned())) {
        for problem in problems.iter() {
            assert!(!problem.to_string().is_empty());
        }
    }
});
