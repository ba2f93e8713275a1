//! How is an echo asked for, and how is the answer known? Packets of ICMP and `ICMPv6`, pure.
//!
//! RFC 792, RFC 4443. Each request carries a number of this process and one of its own, so that an answer to somebody
//! else, or to an earlier request, is not taken for it. The kernel fills in the checksum of all but raw IPv4 requests.

const REQUEST_V4: u8 = 8;
const REPLY_V4: u8 = 0;
const REQUEST_V6: u8 = 128;
const REPLY_V6: u8 = 129;
const HEADER: usize = 8;

/// What is behind the header: who asked, and for which time.
pub const PAYLOAD: usize = 16;

/// Makes an echo request.
pub fn request(v6: bool, token: u64, number: u64) -> Vec<u8> {
    let kind = if v6 { REQUEST_V6 } else { REQUEST_V4 };
    let mut packet = vec![kind, 0, 0, 0];
    // The id, which a ping socket replaces by its own.
    packet.extend((token as u16).to_be_bytes());
    packet.extend((number as u16).to_be_bytes());
    packet.extend(token.to_be_bytes());
    packet.extend(number.to_be_bytes());
    if !v6 {
        let sum = checksum(&packet).to_be_bytes();
        if let Some(field) = packet.get_mut(2..4) {
            field.copy_from_slice(&sum);
        }
    }
    packet
}

/// The number of the request that a packet answers, if it is an answer to us. A raw IPv4 socket gives the IP header too.
pub fn reply(v6: bool, with_ip_header: bool, packet: &[u8], token: u64) -> Option<u64> {
    let packet = if with_ip_header {
        let words = usize::from(packet.first()? & 0x0f);
        packet.get(words * 4..)?
    } else {
        packet
    };
    let kind = if v6 { REPLY_V6 } else { REPLY_V4 };
    if *packet.first()? != kind {
        return None;
    }
    let payload = packet.get(HEADER..HEADER + PAYLOAD)?;
    let (whose, number) = payload.split_at_checked(8)?;
    (u64::from_be_bytes(whose.try_into().ok()?) == token)
        .then(|| Some(u64::from_be_bytes(number.try_into().ok()?)))?
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reply_is_known_and_a_strangers_is_not() {
        for v6 in [false, true] {
            let mut packet = request(v6, 77, 5);
            assert_eq!(
                reply(v6, false, &packet, 77),
                None,
                "that is our own request"
            );
            packet[0] = if v6 { 129 } else { 0 };
            assert_eq!(reply(v6, false, &packet, 77), Some(5));
            assert_eq!(reply(v6, false, &packet, 78), None);
            assert_eq!(reply(v6, false, &packet[..20], 77), None);
        }
        let mut packet = vec![0x46; 24];
        let mut inner = request(false, 1, 2);
        inner[0] = 0;
        packet.extend(inner);
        assert_eq!(reply(false, true, &packet, 1), Some(2));
    }

    #[test]
    fn the_checksum_of_a_whole_packet_is_nothing() {
        assert_eq!(checksum(&request(false, 0x1234_5678, 9)), 0);
    }

    proptest! {
        #[test]
        fn any_packet_ends_without_a_panic(packet in prop::collection::vec(any::<u8>(), 0..100), v6: bool, raw: bool) {
            prop_assert!(reply(v6, raw, &packet, 0).is_none() || packet.len() >= HEADER + PAYLOAD);
        }
    }
}
