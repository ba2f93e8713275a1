//! Does it answer now? One round: a probe to each target, and the wait for the answers.
//!
//! An ICMP datagram socket needs no right where `net.ipv4.ping_group_range` has our group, a raw one needs
//! `CAP_NET_RAW`; where neither opens, a TCP connection is tried, and a refusal counts as an answer: the host is there.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};

use super::echo;
use super::target::Target;

/// An answer is far shorter, in bytes.
const PACKET_BYTES_MAX: usize = 2048;

/// How a target is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// An ICMP echo by a datagram socket.
    IcmpDatagram,
    /// An ICMP echo by a raw socket.
    IcmpRaw,
    /// A TCP connection.
    Tcp,
}

/// Why a target could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No right to send.
    Permission,
    /// No route, no device, no memory.
    Send,
}

/// What a target did in a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// How it was asked.
    pub method: Method,
    /// How long it took, in seconds; `None` for silence, or why it could not be asked.
    pub outcome: Result<Option<f64>, Fault>,
    /// How many answers came beyond the first.
    pub duplicates: u64,
}

/// The sockets that rounds share.
#[derive(Debug)]
pub struct Pinger {
    /// By address family: IPv6 or not.
    sockets: [Option<(OwnedFd, Method)>; 2],
    token: u64,
    number: u64,
}

/// A probe under way.
#[derive(Debug)]
struct Pending {
    target: usize,
    sent: Instant,
}

// === impl Method ===

impl Method {
    /// The label `method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IcmpDatagram => "icmp_dgram",
            Self::IcmpRaw => "icmp_raw",
            Self::Tcp => "tcp",
        }
    }
}

// === impl Fault ===

impl Fault {
    /// All of them, for counters that start at 0.
    pub const ALL: [Self; 2] = [Self::Permission, Self::Send];

    /// The label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Send => "send",
        }
    }

    fn of(error: Errno) -> Self {
        if matches!(error, Errno::PERM | Errno::ACCESS) {
            Self::Permission
        } else {
            Self::Send
        }
    }
}

// === impl Pinger ===

impl Pinger {
    /// Opens what may be opened. The token tells our answers from others'.
    pub fn new(token: u64) -> Self {
        Self {
            sockets: [open(false), open(true)],
            token,
            number: 0,
        }
    }

    /// Asks every target once and waits for the answers, at most so long.
    pub fn round(&mut self, targets: &[Target], patience: Duration) -> Vec<Answer> {
        let deadline = Instant::now() + patience;
        let mut answers = Vec::with_capacity(targets.len());
        let mut echoes: HashMap<u64, Pending> = HashMap::new();
        let mut connections: Vec<(OwnedFd, Pending)> = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            let v6 = target.ip.is_ipv6();
            let pending = Pending {
                target: index,
                sent: Instant::now(),
            };
            let (method, sent) = if let Some((socket, method)) = &self.sockets[usize::from(v6)] {
                self.number += 1;
                let packet = echo::request(v6, self.token, self.number);
                let sent = send(socket, &packet, target.socket(0));
                if sent.is_ok() {
                    echoes.insert(self.number, pending);
                }
                (*method, sent)
            } else {
                let connection = connect(target.socket(target.port));
                let sent = connection.map(|socket| connections.push((socket, pending)));
                (Method::Tcp, sent)
            };
            answers.push(Answer {
                method,
                outcome: sent.map(|()| None).map_err(Fault::of),
                duplicates: 0,
            });
        }
        while !echoes.is_empty() || !connections.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.wait(&mut echoes, &mut connections, left, &mut answers);
            if answers
                .iter()
                .all(|answer| !matches!(answer.outcome, Ok(None)))
            {
                break;
            }
        }
        answers
    }

    /// Waits until something comes, and takes all of it.
    fn wait(
        &self,
        echoes: &mut HashMap<u64, Pending>,
        connections: &mut Vec<(OwnedFd, Pending)>,
        left: Duration,
        answers: &mut [Answer],
    ) {
        let pings = || self.sockets.iter().flatten().map(|(socket, _)| socket);
        let mut polled: Vec<PollFd<'_>> = pings()
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .chain(
                connections
                    .iter()
                    .map(|(socket, _)| PollFd::new(socket, PollFlags::OUT)),
            )
            .collect();
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        // Interrupted or not, the caller looks at its deadline and comes again.
        if poll(&mut polled, Some(&timeout)).is_err() {
            return;
        }
        let came = Instant::now();
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(polled);
        let (ping_ready, connection_ready) = ready.split_at(pings().count().min(ready.len()));
        for (v6, slot) in self.sockets.iter().enumerate() {
            if let Some((socket, method)) = slot
                && ping_ready.iter().any(|ready| *ready)
            {
                self.receive(socket, *method, v6 == 1, came, echoes, answers);
            }
        }
        let mut ready = connection_ready.iter().copied();
        connections.retain(|(socket, pending)| {
            if !ready.next().unwrap_or(false) {
                return true;
            }
            let outcome = match sockopt::socket_error(socket) {
                Ok(Ok(()) | Err(Errno::CONNREFUSED)) => {
                    Ok(Some(came.duration_since(pending.sent).as_secs_f64()))
                }
                Ok(Err(_)) => Ok(None),
                Err(error) => Err(Fault::of(error)),
            };
            if let Some(answer) = answers.get_mut(pending.target) {
                answer.outcome = outcome;
            }
            false
        });
    }

    /// Takes every packet that waits. An answer that came stays known, so that a second one is seen.
    fn receive(
        &self,
        socket: &OwnedFd,
        method: Method,
        v6: bool,
        came: Instant,
        echoes: &HashMap<u64, Pending>,
        answers: &mut [Answer],
    ) {
        let with_ip_header = method == Method::IcmpRaw && !v6;
        let mut packet = [0; PACKET_BYTES_MAX];
        while let Ok((_, length)) = rustix::net::recv(socket, &mut packet[..], RecvFlags::DONTWAIT)
        {
            let packet = packet.get(..length).unwrap_or_default();
            let Some(pending) = echo::reply(v6, with_ip_header, packet, self.token)
                .and_then(|number| echoes.get(&number))
            else {
                continue;
            };
            if let Some(answer) = answers.get_mut(pending.target) {
                if let Ok(Some(_)) = answer.outcome {
                    answer.duplicates += 1;
                } else {
                    answer.outcome = Ok(Some(came.duration_since(pending.sent).as_secs_f64()));
                }
            }
        }
    }
}

/// A socket for echoes: datagram, else raw, else none.
fn open(v6: bool) -> Option<(OwnedFd, Method)> {
    let (family, protocol) = if v6 {
        (AddressFamily::INET6, ipproto::ICMPV6)
    } else {
        (AddressFamily::INET, ipproto::ICMP)
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    [
        (SocketType::DGRAM, Method::IcmpDatagram),
        (SocketType::RAW, Method::IcmpRaw),
    ]
    .into_iter()
    .find_map(|(kind, method)| {
        let socket = rustix::net::socket_with(family, kind, flags, Some(protocol)).ok()?;
        Some((socket, method))
    })
}

fn send(socket: &OwnedFd, packet: &[u8], to: SocketAddr) -> Result<(), Errno> {
    match rustix::net::sendto(socket, packet, SendFlags::empty(), &to) {
        Ok(_) => Ok(()),
        // An ICMP error to an earlier probe is reported here; the probe itself was not sent.
        Err(error) if io::Error::from(error).kind() == io::ErrorKind::HostUnreachable => Ok(()),
        Err(error) => Err(error),
    }
}

fn connect(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn local(port: Option<u16>) -> Target {
        Target::new("local", Ipv4Addr::LOCALHOST.into(), "core_switch", port)
    }

    #[test]
    fn a_connection_is_an_answer_and_so_is_its_refusal() {
        let mut pinger = Pinger {
            sockets: [None, None],
            token: 1,
            number: 0,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = local(Some(listener.local_addr().unwrap().port()));
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let refused = local(Some(closed.local_addr().unwrap().port()));
        drop(closed);
        for answer in pinger.round(&[open, refused], Duration::from_secs(10)) {
            assert_eq!(answer.method, Method::Tcp);
            assert!(matches!(answer.outcome, Ok(Some(_))), "{answer:?}");
        }
    }

    #[test]
    fn an_echo_where_we_may() {
        let mut pinger = Pinger::new(7);
        let method = pinger.sockets[0].as_ref().map(|(_, method)| *method);
        let answers = pinger.round(&[local(None), local(None)], Duration::from_secs(10));
        assert_eq!(answers.len(), 2);
        for answer in answers {
            assert_eq!(answer.method, method.unwrap_or(Method::Tcp));
            assert!(matches!(answer.outcome, Ok(Some(_))), "{answer:?}");
            assert_eq!(answer.duplicates, 0);
        }
    }
}
