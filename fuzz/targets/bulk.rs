//! A cluster's answer to a bulk request, of any content: nothing panics, there are as many outcomes as items were sent, and
//! nothing counts as done that the answer does not clearly say.
#![no_main]

use collector::ship::elasticsearch::verdict::{Outcome, Verdict, verdict};
use elastic::Answer;
use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 8] = [200, 200, 200, 201, 413, 429, 503, 400];

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, sent, body) = input;
    let status = STATUSES[usize::from(kind) % STATUSES.len()];
    let sent = usize::from(sent);
    let answer = Answer {
        status,
        retry_after: None,
        body: body.to_vec().into(),
    };
    let Verdict::Items(outcomes) = verdict(&answer, sent) else {
        return;
    };
    assert!(answer.is_success(), "items of an answer that is no success");
    assert_eq!(outcomes.len(), sent);
    let text = String::from_utf8_lossy(body);
    let says = |wanted: &str| text.contains(wanted);
    for outcome in &outcomes {
        match outcome {
            Outcome::Created => assert!(says("200") || says("201")),
            Outcome::Known => assert!(says("409")),
            Outcome::Retry { .. } | Outcome::Refused { .. } => {}
        }
    }
});
