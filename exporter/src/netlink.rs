//! What does the kernel say? One request by netlink, and its answer as messages and attributes borrowed from the buffer.
//!
//! Requests are made of neli's types. Answers are walked in place: a director with two thousand virtual servers sends
//! some megabytes at each scrape. The socket's time-out and the buffer's size are ours, so a kernel that keeps silent or
//! sends more than it said costs one failed run. Layouts: netlink(7), `linux/netlink.h`, `linux/genetlink.h`.

use std::io::{self, Cursor};
use std::os::fd::OwnedFd;
use std::time::Duration;

use neli::consts::nl::NlmF;
use neli::genl::{AttrTypeBuilder, Nlattr, NlattrBuilder};
use neli::nl::{NlPayload, Nlmsghdr, NlmsghdrBuilder};
use neli::types::Buffer;
use neli::{Size, ToBytes};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

/// The kernel fills datagrams of a dump up to 32 KiB; twice that is more than any kernel sends.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// What the socket may hold before the kernel drops messages, in bytes; a hint.
const SOCKET_BYTES: usize = 1 << 20;
/// How long the kernel may think about an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

const MESSAGE_HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;
const TYPE_ERROR: u16 = 2;
const TYPE_DONE: u16 = 3;
const FLAG_MULTI: u16 = 2;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` share the type's field.
const ATTRIBUTE_TYPE_MASK: u16 = 0x3fff;

const CONTROL_FAMILY: u16 = 16;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_ATTR_FAMILY_ID: u16 = 1;
const CONTROL_ATTR_FAMILY_NAME: u16 = 2;

/// Which part of the kernel is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Generic netlink: families by name, as IPVS.
    Generic,
    /// Netfilter: conntrack, nftables.
    Netfilter,
}

/// Whoever answers: the kernel, or what stands in for it where there is none like it.
pub trait Answers {
    /// The number of a generic family, `None` when there is none of that name.
    fn family(&mut self, name: &str) -> Result<Option<u16>, NetlinkError>;

    /// Takes a request and hands over each message of the answer.
    fn ask(
        &mut self,
        kind: u16,
        dump: bool,
        body: Vec<u8>,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), NetlinkError>;
}

/// A socket to the kernel.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket can't be made or used.
    #[error("{what}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The kernel answered with an error.
    #[error("the kernel refused")]
    Refused(#[source] io::Error),
    /// The answer breaks its own format.
    #[error("the answer makes no sense: {0}")]
    Malformed(&'static str),
}

/// A message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: u16,
    /// `NLM_F_*`
    pub flags: u16,
    /// Which request it answers.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

/// The messages of a datagram.
#[derive(Clone, Debug)]
pub struct Messages<'a>(&'a [u8]);

/// The attributes of a message, or nested in another; ends at the first that does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(&'a [u8]);

// === impl Netlink ===

impl Netlink {
    /// Opens a socket.
    pub fn open(protocol: Protocol) -> Result<Self, NetlinkError> {
        let wrap = |what| {
            move |error: rustix::io::Errno| NetlinkError::Socket {
                what,
                source: error.into(),
            }
        };
        let protocol = match protocol {
            Protocol::Generic => netlink::GENERIC,
            Protocol::Netfilter => netlink::NETFILTER,
        };
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(protocol),
        )
        .map_err(wrap("open a netlink socket"))?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))
            .map_err(wrap("bind the netlink socket"))?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIMEOUT))
            .map_err(wrap("limit the wait for the kernel"))?;
        // A hint; the dump goes on with what there is.
        sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BYTES).unwrap_or_default();
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
        })
    }

    /// The number of a generic family, `None` when the kernel has none of that name.
    pub fn family(&mut self, name: &str) -> Result<Option<u16>, NetlinkError> {
        let mut body = generic(CONTROL_GET_FAMILY);
        let mut text = name.as_bytes().to_vec();
        text.push(0);
        body.extend(attribute(CONTROL_ATTR_FAMILY_NAME, &text)?);
        let mut found = None;
        let asked = self.ask(CONTROL_FAMILY, false, body, |message| {
            let id = generic_attributes(message.body).get(CONTROL_ATTR_FAMILY_ID);
            found = id.and_then(|id| Some(u16::from_ne_bytes(id.try_into().ok()?)));
        });
        match asked {
            Err(NetlinkError::Refused(error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }

    /// Sends a request and hands over each message of the answer.
    pub fn ask(
        &mut self,
        kind: u16,
        dump: bool,
        body: Vec<u8>,
        each: impl FnMut(Message<'_>),
    ) -> Result<(), NetlinkError> {
        self.ask_while(kind, dump, body, each, || true).map(drop)
    }

    /// The same for an answer that may be too long: between datagrams it is asked whether to go on. Whether the answer
    /// is whole; if not, the socket still holds some of it and is to be dropped, which ends the kernel's work too.
    pub fn ask_while(
        &mut self,
        kind: u16,
        dump: bool,
        body: Vec<u8>,
        mut each: impl FnMut(Message<'_>),
        mut go_on: impl FnMut() -> bool,
    ) -> Result<bool, NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = request(kind, dump, self.sequence, body)?;
        rustix::net::send(&self.socket, &request, SendFlags::empty()).map_err(|error| {
            NetlinkError::Socket {
                what: "send to the kernel",
                source: error.into(),
            }
        })?;
        loop {
            let (_, length) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC)
            })
            .map_err(|error| NetlinkError::Socket {
                what: "hear from the kernel",
                source: error.into(),
            })?;
            let datagram = self
                .buffer
                .get(..length)
                .ok_or(NetlinkError::Malformed("a datagram longer than any"))?;
            if read_datagram(datagram, self.sequence, &mut each)? {
                return Ok(true);
            }
            if !go_on() {
                return Ok(false);
            }
        }
    }
}

impl Answers for Netlink {
    fn family(&mut self, name: &str) -> Result<Option<u16>, NetlinkError> {
        Self::family(self, name)
    }

    fn ask(
        &mut self,
        kind: u16,
        dump: bool,
        body: Vec<u8>,
        each: &mut dyn FnMut(Message<'_>),
    ) -> Result<(), NetlinkError> {
        Self::ask(self, kind, dump, body, each)
    }
}

/// Reads one datagram of an answer; pure. Whether the answer is complete.
pub fn read_datagram(
    datagram: &[u8],
    sequence: u32,
    each: &mut impl FnMut(Message<'_>),
) -> Result<bool, NetlinkError> {
    for message in Messages(datagram) {
        let message = message?;
        if message.sequence != sequence {
            continue;
        }
        match message.kind {
            TYPE_DONE | TYPE_ERROR => {
                let code = message
                    .body
                    .first_chunk()
                    .map_or(0, |code| i32::from_ne_bytes(*code));
                if code < 0 {
                    return Err(NetlinkError::Refused(io::Error::from_raw_os_error(-code)));
                }
                return Ok(true);
            }
            _ => {
                each(message);
                if message.flags & FLAG_MULTI == 0 {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

// === impl NetlinkError ===

impl NetlinkError {
    /// Whether a right is missing.
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Socket { source, .. } | Self::Refused(source) => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            Self::Malformed(_) => false,
        }
    }

    /// Whether the kernel knows nothing of what was asked.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Refused(error) | Self::Socket { source: error, .. }
            if error.kind() == io::ErrorKind::NotFound
                || error.kind() == io::ErrorKind::Unsupported
                || error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error())
                || error.raw_os_error() == Some(rustix::io::Errno::PROTONOSUPPORT.raw_os_error()))
    }
}

// === impl Messages ===

impl<'a> Messages<'a> {
    /// Walks a datagram.
    pub fn of(datagram: &'a [u8]) -> Self {
        Self(datagram)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, NetlinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let bytes = self.0;
        let message = message(bytes);
        self.0 = match &message {
            Ok(message) => bytes
                .get(aligned(MESSAGE_HEADER + message.body.len())..)
                .unwrap_or_default(),
            Err(_) => &[],
        };
        Some(message)
    }
}

fn message(bytes: &[u8]) -> Result<Message<'_>, NetlinkError> {
    let short = || NetlinkError::Malformed("a message cut off");
    let length = u32_at(bytes, 0).ok_or_else(short)? as usize;
    let body = bytes.get(MESSAGE_HEADER..length).ok_or_else(short)?;
    Ok(Message {
        kind: u16_at(bytes, 4).ok_or_else(short)?,
        flags: u16_at(bytes, 6).ok_or_else(short)?,
        sequence: u32_at(bytes, 8).ok_or_else(short)?,
        body,
    })
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// Walks attributes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The first attribute of a type.
    pub fn get(self, kind: u16) -> Option<&'a [u8]> {
        self.into_iter()
            .find_map(|(found, payload)| (found == kind).then_some(payload))
    }

    /// The attributes nested in the first of a type.
    pub fn nested(self, kind: u16) -> Option<Self> {
        self.get(kind).map(Self)
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);
    type IntoIter = AttributesIter<'a>;

    fn into_iter(self) -> AttributesIter<'a> {
        AttributesIter(self.0)
    }
}

/// See [`Attributes`].
#[derive(Clone, Debug)]
pub struct AttributesIter<'a>(&'a [u8]);

impl<'a> Iterator for AttributesIter<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0;
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & ATTRIBUTE_TYPE_MASK;
        let payload = bytes.get(ATTRIBUTE_HEADER..length)?;
        self.0 = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, payload))
    }
}

/// The attributes of a generic message's body.
pub fn generic_attributes(body: &[u8]) -> Attributes<'_> {
    Attributes(body.get(4..).unwrap_or_default())
}

/// The body of a generic request, without attributes yet.
pub fn generic(command: u8) -> Vec<u8> {
    const VERSION: u8 = 1;
    vec![command, VERSION, 0, 0]
}

/// One attribute, padded.
pub fn attribute(kind: u16, payload: &[u8]) -> Result<Vec<u8>, NetlinkError> {
    encode(kind, payload, false)
}

/// An attribute that holds others.
pub fn nest(kind: u16, attributes: &[u8]) -> Result<Vec<u8>, NetlinkError> {
    encode(kind, attributes, true)
}

fn encode(kind: u16, payload: &[u8], nested: bool) -> Result<Vec<u8>, NetlinkError> {
    const WHY: NetlinkError = NetlinkError::Malformed("an attribute of our own");
    let kind = AttrTypeBuilder::default()
        .nla_type(kind)
        .nla_nested(nested)
        .build()
        .ok()
        .ok_or(WHY)?;
    let attribute: Nlattr<u16, Buffer> = NlattrBuilder::default()
        .nla_type(kind)
        .nla_payload(Buffer::from(payload))
        .build()
        .ok()
        .ok_or(WHY)?;
    let mut out = Cursor::new(Vec::with_capacity(attribute.padded_size()));
    attribute.to_bytes(&mut out).ok().ok_or(WHY)?;
    let mut out = out.into_inner();
    out.resize(aligned(out.len()), 0);
    Ok(out)
}

fn request(kind: u16, dump: bool, sequence: u32, body: Vec<u8>) -> Result<Vec<u8>, NetlinkError> {
    const WHY: NetlinkError = NetlinkError::Malformed("a request of our own");
    let flags = if dump {
        NlmF::REQUEST | NlmF::DUMP
    } else {
        NlmF::REQUEST
    };
    let message: Nlmsghdr<u16, Buffer> = NlmsghdrBuilder::default()
        .nl_type(kind)
        .nl_flags(flags)
        .nl_seq(sequence)
        .nl_payload(NlPayload::Payload(Buffer::from(body)))
        .build()
        .ok()
        .ok_or(WHY)?;
    let mut out = Cursor::new(Vec::with_capacity(message.padded_size()));
    message.to_bytes(&mut out).ok().ok_or(WHY)?;
    Ok(out.into_inner())
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
