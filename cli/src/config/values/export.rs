//! Is it the name of a probe, a target of pings, a subnet?

use exporter::probes::PROBES;
use exporter::probes::readiness::target::Target;
use exporter::subnet::{Subnet, SubnetError};

use super::{Read, each, refuse, text};
use crate::config::export;
use yaml::document::Node;
use yaml::suggest;

/// As many as the probe asks.
const TARGETS_MAX: usize = 64;
/// Every entry of the table is compared with each of them.
const SUBNETS_MAX: usize = 64;

/// A list of names of probes.
pub(in crate::config) fn probes(node: &Node) -> Read<Vec<String>> {
    let known: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
    each(node, |item| {
        let name = text(item, "the name of a probe")?;
        if known.contains(&name) {
            Ok(name.to_owned())
        } else {
            let meant = match suggest::nearest(name, &known) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            refuse(item, format!("there is no probe `{name}`; {meant}"))
        }
    })
}

/// A list of targets.
pub(in crate::config) fn ping_targets(node: &Node) -> Read<Vec<Target>> {
    let targets = each(node, |item| {
        let text = text(item, "a target, as in `core_switch=10.0.0.1`")?;
        export::target(text).or_else(|sentence| refuse(item, sentence))
    })?;
    if targets.len() > TARGETS_MAX {
        return refuse(node, format!("at most {TARGETS_MAX} targets"));
    }
    Ok(targets)
}

/// A list of subnets.
pub(in crate::config) fn subnets(node: &Node) -> Read<Vec<Subnet>> {
    let subnets = each(node, |item| {
        let text = text(item, "a subnet, as in `10.0.0.0/8`")?;
        text.parse()
            .or_else(|error: SubnetError| refuse(item, error.to_string()))
    })?;
    if subnets.len() > SUBNETS_MAX {
        return refuse(node, format!("at most {SUBNETS_MAX} subnets"));
    }
    Ok(subnets)
}

/// An object of Kubernetes, as `NAMESPACE/NAME`.
pub(in crate::config) fn object(node: &Node) -> Read<(String, String)> {
    let text = text(node, "`NAMESPACE/NAME`")?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 253
            && name.split('.').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                    })
            })
    };
    match text.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => refuse(node, format!("`{text}` is not like `NAMESPACE/NAME`")),
    }
}

/// Where metrics are pushed to.
pub(in crate::config) fn push_url(node: &Node) -> Read<String> {
    let text = text(
        node,
        "a URL, as in `https://prometheus.example:9090/api/v1/write`",
    )?;
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let is_plain = |letter: char| letter.is_ascii_graphic() && letter != '@';
    match host {
        Some(host) if !host.is_empty() && text.chars().all(is_plain) => Ok(text.to_owned()),
        _ => refuse(
            node,
            "a URL begins with `http://` or `https://` and has no user; that is `push_user`",
        ),
    }
}
