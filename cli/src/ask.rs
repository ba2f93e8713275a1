//! What does the running process say? One GET to the address it wrote into its state directory.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use page::Snapshot;

/// An answer is read up to this size, in bytes.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);

/// Why the running process did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It can't be reached: most likely none runs.
    #[error("connect to {address}")]
    Connect {
        /// Where it said that it listens.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// It broke off.
    #[error("read the answer of {address}")]
    Answer {
        /// Where it listens.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// It refused.
    #[error("{address} answered {status}")]
    Refused {
        /// Where it listens.
        address: SocketAddr,
        /// The status line.
        status: String,
    },
    /// It is another program, or another version of this one.
    #[error("understand the answer of {address}")]
    Foreign {
        /// Where it listens.
        address: SocketAddr,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The whole status of the running process.
pub(crate) fn status(address: SocketAddr) -> Result<Snapshot, AskError> {
    let body = get(address, "/api/status")?;
    serde_json::from_str(&body).map_err(|source| AskError::Foreign { address, source })
}

/// The address in a `listen` file; `None` when there is none, as when no process runs.
pub(crate) fn address(listen_file: &Path) -> Option<SocketAddr> {
    let mut address: SocketAddr = std::fs::read_to_string(listen_file)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    // One that listens everywhere is reached on loopback.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Some(address)
}

/// The body of `path`. HTTP/1.0, so that the answer ends with the connection (RFC 1945).
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String, AskError> {
    let answer = |source| AskError::Answer { address, source };
    let mut connection = TcpStream::connect_timeout(&address, CONNECT_PATIENCE)
        .map_err(|source| AskError::Connect { address, source })?;
    connection
        .set_read_timeout(Some(ANSWER_PATIENCE))
        .map_err(answer)?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
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
            address,
            status: status.chars().take(80).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `text`.
    fn serve(text: &'static str) -> SocketAddr {
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
        address
    }

    #[test]
    fn an_answer_is_its_body_and_a_refusal_its_status() {
        assert_eq!(
            get(serve("HTTP/1.0 200 OK\r\na: b\r\n\r\n{\"a\":1}"), "/api").unwrap(),
            "{\"a\":1}"
        );
        let refused = get(serve("HTTP/1.0 503 Service Unavailable\r\n\r\nno"), "/api").unwrap_err();
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
            get(address, "/api"),
            Err(AskError::Connect { .. })
        ));
    }

    #[test]
    fn one_that_listens_everywhere_is_asked_on_loopback() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("listen");
        assert_eq!(address(&file), None);
        std::fs::write(&file, "0.0.0.0:9797\n").unwrap();
        assert_eq!(address(&file), Some("127.0.0.1:9797".parse().unwrap()));
        std::fs::write(&file, "[::]:9797").unwrap();
        assert_eq!(address(&file), Some("[::1]:9797".parse().unwrap()));
        std::fs::write(&file, "nonsense").unwrap();
        assert_eq!(address(&file), None);
    }
}
