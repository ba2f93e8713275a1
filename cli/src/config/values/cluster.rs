//! Is it the address of a cluster, a name there, a secret, a file?

use std::path::PathBuf;

use super::{Read, choice, each, name, refuse, text};
use crate::config::raw::{Mode, Template};
use yaml::document::{Node, Value};

/// More hosts than this nobody has in front of one cluster.
const URLS_MAX: usize = 64;
/// The date and a separator still fit into the 255 bytes of an index name.
const PREFIX_BYTES_MAX: usize = 100;
const SECRET_BYTES_MAX: usize = 64 << 10;

/// The names of [`mode`].
pub(in crate::config) const MODES: &[&str] = &["index", "data_stream"];
/// The names of [`template`].
pub(in crate::config) const TEMPLATES: &[&str] = &["install", "verify", "off"];

/// One URL, or a list of them.
pub(in crate::config) fn urls(node: &Node) -> Read<Vec<String>> {
    let urls = match &node.value {
        Value::Text(_) => vec![url(node)?],
        Value::Nothing | Value::List(_) | Value::Section(_) => each(node, url)?,
    };
    if urls.len() > URLS_MAX {
        return refuse(node, format!("at most {URLS_MAX} hosts"));
    }
    Ok(urls)
}

/// One URL.
pub(in crate::config) fn url(node: &Node) -> Read<String> {
    let text = text(node, "a URL, as in `https://es.example:9200`")?;
    match elastic::parse_url(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => refuse(node, error.to_string()),
    }
}

/// A name for basic authentication; a colon would end it (RFC 7617).
pub(in crate::config) fn user(node: &Node) -> Read<String> {
    let user = name(node)?;
    if user.contains(':') {
        return refuse(node, "a user's name has no colon");
    }
    Ok(user)
}

/// A text for a header. What is wrong with it is said without showing it.
pub(in crate::config) fn secret(node: &Node) -> Read<String> {
    let text = text(node, "a text")?;
    if text.is_empty() || text.len() > SECRET_BYTES_MAX || text.chars().any(char::is_control) {
        return refuse(node, "a secret is one line of text, and not empty");
    }
    Ok(text.to_owned())
}

/// An absolute path of this machine.
pub(in crate::config) fn path(node: &Node) -> Read<PathBuf> {
    let text = text(node, "an absolute path")?;
    if !text.starts_with('/') || text.contains('\0') {
        return refuse(node, format!("`{text}` is not an absolute path"));
    }
    Ok(PathBuf::from(text))
}

/// How documents are laid out.
pub(in crate::config) fn mode(node: &Node) -> Read<Mode> {
    choice(node, "`index` or `data_stream`", MODES).map(|name| match name {
        "data_stream" => Mode::DataStream,
        _ => Mode::Index,
    })
}

/// What is done about the template.
pub(in crate::config) fn template(node: &Node) -> Read<Template> {
    choice(node, "`install`, `verify` or `off`", TEMPLATES).map(|name| match name {
        "verify" => Template::Verify,
        "off" => Template::Off,
        _ => Template::Install,
    })
}

/// The beginning of index names. Elasticsearch allows more; these need no escaping in a path, a pattern or a query.
pub(in crate::config) fn index_prefix(node: &Node) -> Read<String> {
    let text = text(node, "a name")?;
    let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if begins_well && text.len() <= PREFIX_BYTES_MAX && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    refuse(
        node,
        format!(
            "`{text}` is no beginning of an index name: lower-case letters, digits, `-`, `_` and `.`, at most \
             {PREFIX_BYTES_MAX} bytes, beginning with a letter or a digit"
        ),
    )
}
