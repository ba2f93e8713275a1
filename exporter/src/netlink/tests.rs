//! Answers as the kernel sends them, and as it never would.

use proptest::prelude::*;

use super::*;

#[test]
fn a_request_has_the_bytes_of_the_manual() {
    let mut body = generic(3);
    body.extend(attribute(2, b"IPVS\0").unwrap());
    let bytes = request(16, true, 7, body).unwrap();
    let mut wanted = Vec::new();
    wanted.extend(32_u32.to_ne_bytes());
    wanted.extend(16_u16.to_ne_bytes());
    wanted.extend(0x301_u16.to_ne_bytes());
    wanted.extend(7_u32.to_ne_bytes());
    wanted.extend(0_u32.to_ne_bytes());
    wanted.extend([3, 1, 0, 0]);
    wanted.extend(9_u16.to_ne_bytes());
    wanted.extend(2_u16.to_ne_bytes());
    wanted.extend(*b"IPVS\0\0\0\0");
    assert_eq!(bytes, wanted);
}

#[test]
fn nesting_is_marked_and_padded() {
    let inner = attribute(1, &[2, 0]).unwrap();
    let outer = nest(5, &inner).unwrap();
    assert_eq!(outer.len() % 4, 0);
    let found = Attributes::of(&outer)
        .nested(5)
        .and_then(|inner| inner.get(1));
    assert_eq!(found, Some(&[2, 0][..]));
    assert_eq!(outer[3] & 0x80, 0x80, "NLA_F_NESTED");
}

#[test]
fn an_error_and_an_end_are_told_apart() {
    let mut error = 20_u32.to_ne_bytes().to_vec();
    error.extend(2_u16.to_ne_bytes());
    error.extend([0; 2]);
    error.extend(9_u32.to_ne_bytes());
    error.extend([0; 4]);
    error.extend((-1_i32).to_ne_bytes());
    let refused = read_datagram(&error, 9, &mut |_| ());
    assert!(
        matches!(&refused, Err(found) if found.is_forbidden()),
        "{refused:?}"
    );
    assert!(matches!(read_datagram(&error, 8, &mut |_| ()), Ok(false)));
    let mut done = error.clone();
    done[4] = 3;
    done[16..].fill(0);
    assert!(matches!(read_datagram(&done, 9, &mut |_| ()), Ok(true)));
}

proptest! {
    #[test]
    fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut seen = 0;
        for message in Messages::of(&bytes) {
            seen += 1;
            let Ok(message) = message else { break };
            prop_assert!(generic_attributes(message.body).into_iter().count() <= bytes.len() / 4 + 1);
        }
        prop_assert!(seen <= bytes.len());
    }
}
