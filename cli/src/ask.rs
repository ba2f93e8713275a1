//! What does the running process say? One GET to the address it wrote into its state directory, or to its socket there.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use page::Snapshot;

/// An answer is read up to this size, in bytes.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// Where the running process answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// At the page's address.
    Address(SocketAddr),
    /// At a socket in its state directory: the address wants a password or a certificate, which we have not.
    Socket(PathBuf),
}

/// Why the running process did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It can't be reached: most likely none runs.
    #[error("connect to {address}")]
    Connect {
        /// Where it said that it listens.
        address: Door,
        /// Why not.
        source: io::Error,
    },
    /// It broke off.
    #[error("read the answer of {address}")]
    Answer {
        /// Where it listens.
        address: Door,
        /// Why not.
        source: io::Error,
    },
    /// It refused.
    #[error("{address} answered {status}")]
    Refused {
        /// Where it listens.
        address: Door,
        /// The status line.
        status: String,
    },
    /// It is another program, or another version of this one.
    #[error("understand the answer of {address}")]
    Foreign {
        /// Where it listens.
        address: Door,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The whole status of the running process.
pub(crate) fn status(door: &Door) -> Result<Snapshot, AskError> {
    let body = get(door, "/api/status")?;
    serde_json::from_str(&body).map_err(|source| AskError::Foreign {
        address: door.clone(),
        source,
    })
}

/// What a `listen` file says; `None` when there is none, as when no process runs. Its first line is the address; a second
/// one is the name of the socket.
pub(crate) fn door(listen_file: &Path) -> Option<Door> {
    let text = std::fs::read_to_string(listen_file).ok()?;
    let mut lines = text.lines();
    let mut address: SocketAddr = lines.next()?.trim().parse().ok()?;
    if let Some(name) = lines.next() {
        return Some(Door::Socket(listen_file.with_file_name(name)));
    }
    // One that listens everywhere is reached on loopback.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Some(Door::Address(address))
}

/// The body of `path`. HTTP/1.0, so that the answer ends with the connection (RFC 1945).
pub(crate) fn get(door: &Door, path: &str) -> Result<String, AskError> {
    let failed = |source| AskError::Connect {
        address: door.clone(),
        source,
    };
    match door {
        Door::Address(address) => {
            let connection =
                TcpStream::connect_timeout(address, CONNECT_PATIENCE).map_err(failed)?;
            connection
                .set_read_timeout(Some(ANSWER_PATIENCE))
                .map_err(failed)?;
            exchange(connection, door, &address.to_string(), path)
        }
        Door::Socket(socket) => {
            let connection = UnixStream::connect(socket).map_err(failed)?;
            connection
                .set_read_timeout(Some(ANSWER_PATIENCE))
                .map_err(failed)?;
            exchange(connection, door, "localhost", path)
        }
    }
}

fn exchange(
    mut connection: impl Read + Write,
    door: &Door,
    host: &str,
    path: &str,
) -> Result<String, AskError> {
    let answer = |source| AskError::Answer {
        address: door.clone(),
        source,
    };
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).map_err(answer)?;
    let mut text = String::new();
    connection
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(answer)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.lines().next().unwrap_or_default();
    match status.split_ascii_whitespace().nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(AskError::Refused {
            address: door.clone(),
            status: status.chars().take(80).collect(),
        }),
    }
}

// === impl Door ===

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "http://{address}/"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `text`.
    fn serve(text: &'static str) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /api HTTP/1.0\r\n"));
            connection.write_all(text.as_bytes()).unwrap();
        });
        Door::Address(address)
    }

    #[test]
    fn an_answer_is_its_body_and_a_refusal_its_status() {
        assert_eq!(
            get(&serve("HTTP/1.0 200 OK\r\na: b\r\n\r\n{\"a\":1}"), "/api").unwrap(),
            "{\"a\":1}"
        );
        let refused =
            get(&serve("HTTP/1.0 503 Service Unavailable\r\n\r\nno"), "/api").unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("answered HTTP/1.0 503 Service Unavailable"),
            "{refused}"
        );
    }

    #[test]
    fn nobody_listens() {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(matches!(
            get(&Door::Address(address), "/api"),
            Err(AskError::Connect { .. })
        ));
    }

    #[test]
    fn one_that_listens_everywhere_is_asked_on_loopback() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("listen");
        let read = || door(&file);
        let at = |text: &str| Some(Door::Address(text.parse().unwrap()));
        assert_eq!(read(), None);
        std::fs::write(&file, "0.0.0.0:9797\n").unwrap();
        assert_eq!(read(), at("127.0.0.1:9797"));
        std::fs::write(&file, "[::]:9797").unwrap();
        assert_eq!(read(), at("[::1]:9797"));
        std::fs::write(&file, "nonsense").unwrap();
        assert_eq!(read(), None);
        std::fs::write(&file, "127.0.0.1:9797\nsocket\n").unwrap();
        assert_eq!(read(), Some(Door::Socket(directory.path().join("socket"))));
    }
}
