//! Who may ask, and over what? A web-config file, in the format that Prometheus and its exporters share.
//!
//! [`parse`] is pure. Keys that it doesn't know are refused, for a misspelt `basic_auth_users` would leave the door open.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use yaml::document::{self, Member, Node, Value};
use yaml::problem::{Problem, Problems};
use yaml::suggest;

use super::units;
use super::values::{Read, each, flag, refuse, text};

/// A password of a higher cost (bcrypt's power of two) takes many seconds to check.
const COST_MAX: u32 = 18;

/// What a web-config file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebConfig {
    /// `tls_server_config`; `None` is plain HTTP.
    pub tls: Option<Tls>,
    /// `http_server_config.headers`, added to every answer.
    pub headers: Vec<(&'static str, String)>,
    /// `basic_auth_users`: hashes of passwords (bcrypt) by name; anybody may ask when there are none.
    pub users: BTreeMap<String, Hash>,
    /// `rate_limit`
    pub rate: Option<Rate>,
}

/// `tls_server_config`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's chain of certificates.
    pub certificate: Pem,
    /// Its private key.
    pub key: Pem,
    /// Whose clients are known.
    pub client_authority: Option<Pem>,
    /// What is asked of clients.
    pub client: ClientAuth,
    /// Of which names a client's certificate must have one; any when empty.
    pub client_names: Vec<String>,
    /// The oldest and newest version of the protocol.
    pub versions: (Version, Version),
    /// Suites of TLS 1.2 by name, in the order of preference; all when empty.
    pub suites: Vec<String>,
    /// Whether the server's order of suites goes before the client's.
    pub own_order: bool,
    /// Groups of the key exchange by name, in the order of preference; all when empty.
    pub groups: Vec<String>,
}

/// Where a PEM text is.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In a file.
    File(PathBuf),
    /// In the web-config file itself.
    Inline(String),
}

/// A hash of a password; its [`fmt::Debug`] does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(String);

/// `rate_limit`: a bucket of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How soon a token comes back.
    pub interval: Duration,
    /// How many there are.
    pub burst: u32,
}

/// `client_auth_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Clients show no certificate.
    No,
    /// They may show any.
    Request,
    /// They must show one, any.
    RequireAny,
    /// What they show must be right.
    VerifyIfGiven,
    /// They must show a right one.
    RequireAndVerify,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

const CLIENT_AUTH: [(&str, ClientAuth); 5] = [
    ("NoClientCert", ClientAuth::No),
    ("RequestClientCert", ClientAuth::Request),
    ("RequireAnyClientCert", ClientAuth::RequireAny),
    ("VerifyClientCertIfGiven", ClientAuth::VerifyIfGiven),
    ("RequireAndVerifyClientCert", ClientAuth::RequireAndVerify),
];
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];
const TLS_KEYS: [&str; 13] = [
    "cert",
    "cert_file",
    "key",
    "key_file",
    "client_ca",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "prefer_server_cipher_suites",
    "curve_preferences",
];

/// Reads a web-config file's text; pure. Relative paths in it are below `folder`.
pub fn parse(text: &str, folder: &Path) -> Result<WebConfig, Problems> {
    let root = document::read(text)?;
    let mut config = WebConfig::default();
    let mut problems = Vec::new();
    for member in section(&root).map_err(Problems::new)? {
        let read = match member.name.as_str() {
            "tls_server_config" => tls(&member.node, folder).map(|value| config.tls = value),
            "http_server_config" => http(&member.node).map(|value| config.headers = value),
            "basic_auth_users" => users(&member.node).map(|value| config.users = value),
            "rate_limit" => rate(&member.node).map(|value| config.rate = value),
            other => {
                let known = [
                    "tls_server_config",
                    "http_server_config",
                    "basic_auth_users",
                    "rate_limit",
                ];
                Err(unknown(member, other, &known))
            }
        };
        problems.extend(read.err().into_iter().flatten());
    }
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(Problems::new(problems))
    }
}

fn tls(node: &Node, folder: &Path) -> Read<Option<Tls>> {
    let members = section(node)?;
    if members
        .iter()
        .all(|member| member.node.value == Value::Nothing)
    {
        return Ok(None);
    }
    let mut problems = Vec::new();
    for member in members {
        if !TLS_KEYS.contains(&member.name.as_str()) {
            problems.extend(unknown(member, &member.name, &TLS_KEYS));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let find = |name: &str| {
        let member = members.iter().find(|member| member.name == name)?;
        (member.node.value != Value::Nothing).then_some(&member.node)
    };
    let needed = |name: &str| match pem(&find, name, folder)? {
        Some(pem) => Ok(pem),
        None => refuse(node, format!("`{name}_file` is missing")),
    };
    let names = |name: &str| match find(name) {
        Some(node) => each(node, |item| text(item, "a name").map(str::to_owned)),
        None => Ok(Vec::new()),
    };
    let tls = Tls {
        certificate: needed("cert")?,
        key: needed("key")?,
        client_authority: pem(&find, "client_ca", folder)?,
        client: find("client_auth_type").map_or(Ok(ClientAuth::No), client_auth)?,
        client_names: names("client_allowed_sans")?,
        versions: (
            find("min_version").map_or(Ok(Version::Tls12), version)?,
            find("max_version").map_or(Ok(Version::Tls13), version)?,
        ),
        suites: names("cipher_suites")?,
        own_order: find("prefer_server_cipher_suites").map_or(Ok(true), flag)?,
        groups: names("curve_preferences")?,
    };
    match together(&tls) {
        Some(sentence) => refuse(node, sentence),
        None => Ok(Some(tls)),
    }
}

/// What no single value can tell.
fn together(tls: &Tls) -> Option<&'static str> {
    let verifies = matches!(
        tls.client,
        ClientAuth::VerifyIfGiven | ClientAuth::RequireAndVerify
    );
    let requires = matches!(
        tls.client,
        ClientAuth::RequireAny | ClientAuth::RequireAndVerify
    );
    if tls.versions.1 < tls.versions.0 {
        Some("`max_version` is below `min_version`")
    } else if verifies && tls.client_authority.is_none() {
        Some("`client_auth_type` needs `client_ca_file`")
    } else if tls.client == ClientAuth::No && tls.client_authority.is_some() {
        Some("`client_ca_file` means nothing without a `client_auth_type`")
    } else if !requires && !tls.client_names.is_empty() {
        Some("`client_allowed_sans` needs a `client_auth_type` that requires a certificate")
    } else {
        None
    }
}

fn pem<'a>(
    find: &impl Fn(&str) -> Option<&'a Node>,
    name: &str,
    folder: &Path,
) -> Read<Option<Pem>> {
    let file = format!("{name}_file");
    match (find(name), find(&file)) {
        (Some(_), Some(node)) => refuse(
            node,
            format!("`{name}` and `{file}` exclude each other: keep one of them"),
        ),
        (Some(node), None) => Ok(Some(Pem::Inline(text(node, "a PEM text")?.to_owned()))),
        (None, Some(node)) => Ok(Some(Pem::File(folder.join(text(node, "a file's name")?)))),
        (None, None) => Ok(None),
    }
}

fn client_auth(node: &Node) -> Read<ClientAuth> {
    let name = text(node, "one of Go's names of client authentication")?;
    match CLIENT_AUTH.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => Ok(*value),
        None => refuse(
            node,
            suggest::unknown(name, &CLIENT_AUTH.map(|(known, _)| known)),
        ),
    }
}

fn version(node: &Node) -> Read<Version> {
    match text(node, "`TLS12` or `TLS13`")? {
        "TLS12" => Ok(Version::Tls12),
        "TLS13" => Ok(Version::Tls13),
        old @ ("TLS10" | "TLS11") => refuse(node, format!("{old} is not spoken: it is not safe")),
        other => refuse(node, format!("`{other}` is neither `TLS12` nor `TLS13`")),
    }
}

fn http(node: &Node) -> Read<Vec<(&'static str, String)>> {
    let mut headers = Vec::new();
    for member in section(node)? {
        match member.name.as_str() {
            // A permission, not a promise: HTTP/1.1 is always spoken.
            "http2" => drop(flag(&member.node)?),
            "headers" => {
                for header in section(&member.node)? {
                    headers.extend(self::header(header)?);
                }
            }
            other => return Err(unknown(member, other, &["http2", "headers"])),
        }
    }
    Ok(headers)
}

fn header(member: &Member) -> Read<Option<(&'static str, String)>> {
    let Some((name, values)) = HEADERS.iter().find(|(name, _)| *name == member.name) else {
        return Err(unknown(
            member,
            &member.name,
            &HEADERS.map(|(name, _)| name),
        ));
    };
    if member.node.value == Value::Nothing {
        return Ok(None);
    }
    let value = text(&member.node, "a header's value")?;
    if !values.is_empty() && !values.contains(&value) {
        let values = values.join("` or `");
        return refuse(&member.node, format!("{name} is `{values}`"));
    }
    if value.chars().any(char::is_control) || !value.is_ascii() {
        return refuse(&member.node, "a header's value is one line of ASCII");
    }
    Ok((!value.is_empty()).then(|| (*name, value.to_owned())))
}

fn users(node: &Node) -> Read<BTreeMap<String, Hash>> {
    let mut users = BTreeMap::new();
    let mut problems = Vec::new();
    for member in section(node)? {
        match hash(member) {
            Ok(hash) => drop(users.insert(member.name.clone(), hash)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(users)
    } else {
        Err(problems)
    }
}

/// The value is not in the sentence: it may be the password itself.
fn hash(member: &Member) -> Read<Hash> {
    let name = &member.name;
    if name.contains(':') {
        return refuse(
            &member.node,
            format!("`{name}`: a name with a colon can't be sent (RFC 7617)"),
        );
    }
    let text = text(&member.node, "a bcrypt hash")?;
    match text.parse::<bcrypt::HashParts>() {
        Ok(parts) if parts.get_cost() <= COST_MAX => Ok(Hash(text.to_owned())),
        Ok(_) => refuse(
            &member.node,
            format!(
                "the password of `{name}` would take minutes to check: at most cost {COST_MAX}"
            ),
        ),
        Err(_) => refuse(
            &member.node,
            format!(
                "the password of `{name}` is not a bcrypt hash; `htpasswd -nBC 10 {name}` makes one"
            ),
        ),
    }
}

fn rate(node: &Node) -> Read<Option<Rate>> {
    let mut interval = Duration::ZERO;
    let mut burst = 0;
    for member in section(node)? {
        match member.name.as_str() {
            "interval" => {
                interval = units::duration(text(&member.node, "a duration")?)
                    .or_else(|sentence| refuse(&member.node, sentence))?;
            }
            "burst" => {
                let text = text(&member.node, "a whole number")?;
                burst = text.parse().or_else(|_: std::num::ParseIntError| {
                    refuse(&member.node, format!("`{text}` is not a whole number"))
                })?;
            }
            other => return Err(unknown(member, other, &["interval", "burst"])),
        }
    }
    if interval.is_zero() {
        return Ok(None);
    }
    if burst == 0 {
        return refuse(node, "a `rate_limit` without a `burst` lets nobody in");
    }
    Ok(Some(Rate { interval, burst }))
}

fn section(node: &Node) -> Read<&[Member]> {
    match &node.value {
        Value::Section(members) => Ok(members),
        Value::Nothing => Ok(&[]),
        Value::Text(_) | Value::List(_) => refuse(node, "expected keys, indented"),
    }
}

fn unknown(member: &Member, name: &str, known: &[&str]) -> Vec<Problem> {
    vec![Problem::at(member.line, suggest::unknown(name, known))]
}

// === impl Hash ===

impl Hash {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

// === impl Pem ===

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(_) => f.write_str("Inline(…)"),
        }
    }
}

#[cfg(test)]
mod tests;
