//! How is an agent asked? One HTTP request inside its network namespace, from a thread that then ends.
//!
//! Only an address of that namespace is asked, never another that a tenant's options name. The answer is read up to a
//! limit: what is larger is refused, and nothing of it kept.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::networks;
use crate::place::Place;
use crate::probes::jvm::find;
use crate::probes::jvm::options::Endpoint;

/// The largest answer, in bytes.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// The largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The shortest time that a socket can be told to wait.
const PATIENCE_MIN: Duration = Duration::from_millis(1);

/// Whom to ask.
#[derive(Debug)]
pub struct Request {
    /// Where /proc is.
    pub place: Place,
    /// The JVM.
    pub pid: u32,
    /// Which process of that number.
    pub start_ticks: u64,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// When nobody waits any more.
    pub deadline: Instant,
}

/// Why there is no answer: the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody listens there, or the connection broke.
    Connect,
    /// It did not answer in time.
    Late,
    /// It is no HTTP, or no metrics.
    Malformed,
    /// We may not enter its network namespace, or it has ended.
    Namespace,
    /// Its options name an address that is not its own.
    NotLocal,
    /// It answers with another status than 200.
    Status,
    /// Its answer is larger than anybody's should be.
    TooLarge,
}

/// Asks; also says how long it took. To be called on a thread of its own: it may enter another network namespace.
pub fn fetch(request: &Request) -> (Result<String, Refusal>, Duration) {
    let began = Instant::now();
    let answer = ask(request);
    (answer, began.elapsed())
}

fn ask(request: &Request) -> Result<String, Refusal> {
    enter(request)?;
    let address = SocketAddr::new(address(request)?, request.endpoint.port);
    match get(address, "/metrics", request.deadline)? {
        (200, text) => Ok(text),
        _ => Err(Refusal::Status),
    }
}

/// Asks for a page: its status and its text, bounded in size and time.
pub fn get(address: SocketAddr, path: &str, deadline: Instant) -> Result<(u16, String), Refusal> {
    let mut stream =
        TcpStream::connect_timeout(&address, left(deadline)?).map_err(|error| refusal(&error))?;
    // With HTTP/1.0 the body ends with the connection, and is never in chunks.
    let head = format!(
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/plain;version=0.0.4\r\nUser-Agent: nodetap\r\n\r\n"
    );
    stream
        .set_write_timeout(Some(left(deadline)?))
        .map_err(|error| refusal(&error))?;
    stream
        .write_all(head.as_bytes())
        .map_err(|error| refusal(&error))?;
    answer(&read(&mut stream, deadline)?)
}

/// Enters the network namespace of the process, unless it is ours.
fn enter(request: &Request) -> Result<(), Refusal> {
    let Request { place, pid, .. } = request;
    let path = place.path(&format!("proc/{pid}/ns/net"));
    let refuse = |_error: std::io::Error| Refusal::Namespace;
    let theirs = std::fs::read_link(&path).map_err(refuse)?;
    if std::fs::read_link("/proc/thread-self/ns/net").is_ok_and(|ours| ours == theirs) {
        return Ok(());
    }
    let namespace = File::open(&path).map_err(refuse)?;
    // The number may be another process's by now.
    if find::start_ticks(place, *pid) != Some(request.start_ticks) {
        return Err(Refusal::Namespace);
    }
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|_errno| Refusal::Namespace)
}

/// The address to ask: loopback, unless the agent listens on one other address of its namespace.
fn address(request: &Request) -> Result<IpAddr, Refusal> {
    let host = match request.endpoint.host.as_deref() {
        None | Some("localhost" | "0.0.0.0") => return Ok(Ipv4Addr::LOCALHOST.into()),
        Some("::") => return Ok(Ipv6Addr::LOCALHOST.into()),
        Some(host) => host.parse::<IpAddr>().map_err(|_name| Refusal::NotLocal)?,
    };
    let is_local = host.is_loopback()
        || networks::addresses(&request.place, &format!("proc/{}/net", request.pid))
            .contains(&host);
    is_local.then_some(host).ok_or(Refusal::NotLocal)
}

fn left(deadline: Instant) -> Result<Duration, Refusal> {
    let left = deadline.saturating_duration_since(Instant::now());
    (left > PATIENCE_MIN).then_some(left).ok_or(Refusal::Late)
}

fn read(stream: &mut TcpStream, deadline: Instant) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        stream
            .set_read_timeout(Some(left(deadline)?))
            .map_err(|error| refusal(&error))?;
        let count = match stream.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(refusal(&error)),
        };
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > HEAD_BYTES_MAX + BODY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
    }
}

/// Takes an answer apart; pure. Text that is no UTF-8 is refused with the rest that makes no sense.
fn answer(bytes: &[u8]) -> Result<(u16, String), Refusal> {
    let head_end = bytes
        .windows(4)
        .take(HEAD_BYTES_MAX)
        .position(|four| four == b"\r\n\r\n")
        .ok_or(Refusal::Malformed)?;
    let head = bytes.get(..head_end).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_error| Refusal::Malformed)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.") {
        return Err(Refusal::Malformed);
    }
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(Refusal::Malformed)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    let body = bytes.get(head_end + 4..).unwrap_or_default();
    if length.is_some_and(|length| length != body.len()) {
        return Err(Refusal::Malformed);
    }
    let text = String::from_utf8(body.to_vec()).map_err(|_error| Refusal::Malformed)?;
    Ok((status, text))
}

fn refusal(error: &std::io::Error) -> Refusal {
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Refusal::Late,
        _ => Refusal::Connect,
    }
}

// === impl Refusal ===

impl Refusal {
    /// All, for counters that start at 0.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Late,
        Self::Malformed,
        Self::Namespace,
        Self::NotLocal,
        Self::Status,
        Self::TooLarge,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Late => "late",
            Self::Malformed => "malformed",
            Self::Namespace => "namespace",
            Self::NotLocal => "not_local",
            Self::Status => "status",
            Self::TooLarge => "too_large",
        }
    }
}
