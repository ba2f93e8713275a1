//! What does a large director say? Answers as the kernel's IPVS gives them, for so many virtual servers of four real ones.
//!
//! The bytes are those of `net/netfilter/ipvs/ip_vs_ctl.c`: services in datagrams of at most 16 KiB, the real servers of
//! one service in one, counters in both widths.

use std::net::Ipv4Addr;

use exporter::netlink::{Answers, Message, NetlinkError, attribute, nest, read_datagram};

const FAMILY: u16 = 31;
const MULTI: u16 = 2;
const DONE: u16 = 3;
const GET_SERVICE: u8 = 4;
const GET_DESTINATION: u8 = 8;
const GET_INFO: u8 = 15;
const DATAGRAM_BYTES: usize = 16 << 10;
/// Real servers of each virtual one.
pub const REAL_SERVERS: u32 = 4;

/// The answers, made beforehand: what is measured is the reading.
#[derive(Debug)]
pub struct Director {
    info: Vec<u8>,
    services: Vec<Vec<u8>>,
    destinations: Vec<Vec<u8>>,
    next: usize,
}

// === impl Director ===

impl Director {
    /// With so many virtual servers.
    pub fn new(services: u32) -> Result<Self, NetlinkError> {
        let mut all: Vec<Vec<u8>> = Vec::new();
        let mut datagram = Vec::new();
        for number in 0..services {
            let message = message(FAMILY, &service(number)?);
            if DATAGRAM_BYTES < datagram.len() + message.len() {
                all.push(std::mem::take(&mut datagram));
            }
            datagram.extend(message);
        }
        all.push(datagram);
        all.push(done());
        Ok(Self {
            info: message(
                FAMILY,
                &[header(GET_INFO), attribute(2, &4096_u32.to_ne_bytes())?].concat(),
            ),
            services: all,
            destinations: (0..services).map(destinations).collect::<Result<_, _>>()?,
            next: 0,
        })
    }

    /// All bytes of one round.
    pub fn bytes(&self) -> usize {
        let lists = self.services.iter().chain(&self.destinations);
        lists.map(Vec::len).sum()
    }
}

impl Answers for Director {
    fn family(&mut self, _: &str) -> Result<Option<u16>, NetlinkError> {
        self.next = 0;
        Ok(Some(FAMILY))
    }

    fn ask(
        &mut self,
        _: u16,
        _: bool,
        body: Vec<u8>,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), NetlinkError> {
        let mut each = |message: Message<'_>| each(message);
        match body.first() {
            Some(&GET_SERVICE) => {
                for datagram in &self.services {
                    read_datagram(datagram, 1, &mut each)?;
                }
            }
            Some(&GET_DESTINATION) => {
                let datagram = self.destinations.get(self.next).map_or(&[][..], |all| all);
                read_datagram(datagram, 1, &mut each)?;
                read_datagram(&done(), 1, &mut each)?;
                self.next += 1;
            }
            Some(&GET_INFO) => drop(read_datagram(&self.info, 1, &mut each)?),
            _ => drop(read_datagram(&done(), 1, &mut each)?),
        }
        Ok(())
    }
}

fn service(number: u32) -> Result<Vec<u8>, NetlinkError> {
    let address = Ipv4Addr::from(0x0a60_0000 + number / 4);
    let port = 8000 + (number % 4) as u16;
    let attributes = [
        attribute(1, &2_u16.to_ne_bytes())?,
        attribute(2, &6_u16.to_ne_bytes())?,
        attribute(3, &union(address))?,
        attribute(4, &port.to_be_bytes())?,
        attribute(6, b"wrr\0")?,
        attribute(7, &[2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])?,
        attribute(8, &0_u32.to_ne_bytes())?,
        attribute(9, &u32::MAX.to_ne_bytes())?,
        nest(10, &counters(number, false)?)?,
        nest(12, &counters(number, true)?)?,
    ];
    Ok([header(GET_SERVICE), nest(1, &attributes.concat())?].concat())
}

/// The datagram of one service's real servers.
fn destinations(number: u32) -> Result<Vec<u8>, NetlinkError> {
    let mut datagram = Vec::new();
    for server in 0..REAL_SERVERS {
        let address = Ipv4Addr::from(0x0a01_0000 + number * REAL_SERVERS + server);
        let word = |kind, value: u32| attribute(kind, &value.to_ne_bytes());
        let attributes = [
            attribute(1, &union(address))?,
            attribute(2, &8080_u16.to_be_bytes())?,
            word(3, 3)?,
            word(4, 100)?,
            word(5, 0)?,
            word(6, 0)?,
            word(7, number % 1000)?,
            word(8, number % 777)?,
            word(9, 0)?,
            attribute(11, &2_u16.to_ne_bytes())?,
            nest(10, &counters(number + server, false)?)?,
            nest(12, &counters(number + server, true)?)?,
        ];
        let body = [header(GET_DESTINATION), nest(2, &attributes.concat())?].concat();
        datagram.extend(message(FAMILY, &body));
    }
    Ok(datagram)
}

/// Connections, packets and bytes in and out, and five rates that nobody reads.
fn counters(number: u32, wide: bool) -> Result<Vec<u8>, NetlinkError> {
    let mut all = Vec::new();
    for kind in 1..=10_u16 {
        let value = u64::from(number) * 1_000_003 * u64::from(kind);
        let is_bytes = matches!(kind, 4 | 5 | 9 | 10);
        let payload = match (wide, is_bytes) {
            (false, false) => (value as u32).to_ne_bytes().to_vec(),
            (true, _) | (false, true) => value.to_ne_bytes().to_vec(),
        };
        all.extend(attribute(kind, &payload)?);
    }
    Ok(all)
}

fn union(address: Ipv4Addr) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&address.octets());
    bytes
}

fn header(command: u8) -> Vec<u8> {
    vec![command, 1, 0, 0]
}

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = 16 + body.len() as u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(MULTI.to_ne_bytes());
    bytes.extend(1_u32.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn done() -> Vec<u8> {
    message(DONE, &[0; 4])
}
