//! Is an address in a range? `10.0.0.0/8`, `fd00::/8`, or one address (RFC 4632, RFC 4291).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    /// Its first address.
    first: IpAddr,
    /// How many bits of it all have in common.
    bits: u8,
}

/// A text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not like `10.0.0.0/8`, `fd00::/8` or one address")]
pub struct SubnetError(String);

// === impl Subnet ===

impl Subnet {
    /// Whether an address lies in it.
    pub fn contains(self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4()
            && masked(ip, self.bits) == masked(self.first, self.bits)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let wrong = || SubnetError(text.to_owned());
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().ok().ok_or_else(wrong)?;
        let bits_max = width(ip);
        let bits = match bits {
            None => bits_max,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= bits_max)
                .ok_or_else(wrong)?,
        };
        // `10.1.2.3/8` is more often a slip than a way to say `10.0.0.0/8`.
        if masked(ip, bits) != number(ip) {
            return Err(wrong());
        }
        Ok(Self { first: ip, bits })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// An address as a number, its first bit the highest of 128.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()) << 96,
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn masked(ip: IpAddr, bits: u8) -> u128 {
    let dropped = 128 - u32::from(bits);
    number(ip) & u128::MAX.checked_shl(dropped).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_lies_in_a_subnet() {
        for (subnet, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "255.1.2.3", "::1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::/0", "fe80::1", "10.0.0.1"),
            ("10.0.0.4/30", "10.0.0.7", "10.0.0.8"),
        ] {
            let subnet: Subnet = subnet.parse().unwrap();
            assert!(subnet.contains(inside.parse().unwrap()), "{subnet}");
            assert!(!subnet.contains(outside.parse().unwrap()), "{subnet}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "fd00::/129",
            "a/8",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_subnet_is_read_as_it_is_written(ip: u32, bits in 0_u8..=32) {
            let ip = IpAddr::V4((ip & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into());
            let subnet: Subnet = format!("{ip}/{bits}").parse().unwrap();
            prop_assert!(subnet.contains(ip));
            prop_assert_eq!(subnet.to_string().parse(), Ok(subnet));
        }
    }
}
