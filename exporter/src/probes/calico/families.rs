//! Under which names does BIRD stand? Those of `bird_exporter`, whose dashboards and alerts then fit.

use crate::family::{Families, Family};
use crate::labels::Labels;

use super::bird::{Channel, Daemon};

const SOCKET: Family = Family::gauge(
    "bird_socket_query_success",
    &["ip_version"],
    "Whether BIRD answered on its control socket.",
);
const INFO: Family = Family::gauge(
    "bird_daemon_info",
    &["ip_version", "router_id", "version"],
    "1; which BIRD it is.",
);
const UP: Family = Family::gauge(
    "bird_protocol_up",
    &[
        "export_filter",
        "import_filter",
        "ip_version",
        "name",
        "proto",
        "state",
    ],
    "Whether the protocol is up; state is what it says beside that.",
);
const UPTIME: Family = Family::gauge(
    "bird_protocol_uptime",
    L,
    "Seconds since the protocol got its state.",
);

const L: &[&str] = &["ip_version", "name", "proto"];

/// In the order of [`Channel::routes`].
const ROUTES: [Family; 4] = [
    Family::gauge(
        "bird_protocol_prefix_import_count",
        L,
        "Routes that came in by the protocol and are used or kept.",
    ),
    Family::gauge(
        "bird_protocol_prefix_filter_count",
        L,
        "Routes that came in and were filtered.",
    ),
    Family::gauge(
        "bird_protocol_prefix_export_count",
        L,
        "Routes that the protocol was given to announce.",
    ),
    Family::gauge(
        "bird_protocol_prefix_preferred_count",
        L,
        "Routes of the protocol that are the best of their network.",
    ),
];

const fn change(name: &'static str) -> Family {
    Family::gauge(
        name,
        L,
        "Changes of routes since the protocol began, as BIRD counts them: by direction and what became of them.",
    )
}

/// In the order of [`Channel::changes`].
const CHANGES: [[Family; 5]; 4] = [
    [
        change("bird_protocol_changes_update_import_receive_count"),
        change("bird_protocol_changes_update_import_reject_count"),
        change("bird_protocol_changes_update_import_filter_count"),
        change("bird_protocol_changes_update_import_ignore_count"),
        change("bird_protocol_changes_update_import_accept_count"),
    ],
    [
        change("bird_protocol_changes_withdraw_import_receive_count"),
        change("bird_protocol_changes_withdraw_import_reject_count"),
        change("bird_protocol_changes_withdraw_import_filter_count"),
        change("bird_protocol_changes_withdraw_import_ignore_count"),
        change("bird_protocol_changes_withdraw_import_accept_count"),
    ],
    [
        change("bird_protocol_changes_update_export_receive_count"),
        change("bird_protocol_changes_update_export_reject_count"),
        change("bird_protocol_changes_update_export_filter_count"),
        change("bird_protocol_changes_update_export_ignore_count"),
        change("bird_protocol_changes_update_export_accept_count"),
    ],
    [
        change("bird_protocol_changes_withdraw_export_receive_count"),
        change("bird_protocol_changes_withdraw_export_reject_count"),
        change("bird_protocol_changes_withdraw_export_filter_count"),
        change("bird_protocol_changes_withdraw_export_ignore_count"),
        change("bird_protocol_changes_withdraw_export_accept_count"),
    ],
];

/// Beside those of the whole of Calico.
const COUNT: usize = 4 + ROUTES.len() + CHANGES.len() * 5;

/// The probe's own families and BIRD's.
pub(super) const fn all<const OWN: usize, const ALL: usize>(own: [Family; OWN]) -> [Family; ALL] {
    assert!(ALL == OWN + COUNT, "one array holds them all");
    let mut all = [SOCKET; ALL];
    let mut at = 0;
    while at < OWN {
        all[at] = own[at];
        at += 1;
    }
    let bird = [SOCKET, INFO, UP, UPTIME];
    let mut next = 0;
    while next < bird.len() {
        all[at] = bird[next];
        (at, next) = (at + 1, next + 1);
    }
    next = 0;
    while next < ROUTES.len() {
        all[at] = ROUTES[next];
        (at, next) = (at + 1, next + 1);
    }
    next = 0;
    while next < CHANGES.len() * 5 {
        all[at] = CHANGES[next / 5][next % 5];
        (at, next) = (at + 1, next + 1);
    }
    all
}

/// One daemon that does not answer.
pub(super) fn silent(ip_version: &str, out: &mut Families) {
    out.push(&SOCKET, &Labels::of(&[("ip_version", ip_version)]), false);
}

/// Everything that one daemon said.
pub(super) fn emit(daemon: &Daemon, ip_version: &str, out: &mut Families) {
    out.push(&SOCKET, &Labels::of(&[("ip_version", ip_version)]), true);
    let labels = Labels::of(&[
        ("ip_version", ip_version),
        ("router_id", &daemon.router_id),
        ("version", &daemon.version),
    ]);
    out.push(&INFO, &labels, 1_u64);
    for channel in &daemon.channels {
        // It has neither routes nor sessions.
        if channel.proto != "Device" {
            emit_channel(channel, out);
        }
    }
}

fn emit_channel(channel: &Channel, out: &mut Families) {
    let labels = Labels::of(&[
        ("export_filter", &channel.export_filter),
        ("import_filter", &channel.import_filter),
        ("ip_version", &channel.ip_version),
        ("name", &channel.name),
        ("proto", &channel.proto),
        ("state", &channel.state),
    ]);
    out.push(&UP, &labels, channel.up);
    let labels = Labels::of(&[
        ("ip_version", &channel.ip_version),
        ("name", &channel.name),
        ("proto", &channel.proto),
    ]);
    if let Some(uptime) = channel.uptime {
        out.push(&UPTIME, &labels, uptime);
    }
    // A session that is down has no routes: its counts are 0, so that their fall is seen.
    for (family, count) in ROUTES.iter().zip(channel.routes) {
        out.push(family, &labels, count.unwrap_or_default());
    }
    for (families, counts) in CHANGES.iter().zip(channel.changes) {
        for (family, count) in families.iter().zip(counts) {
            out.push(family, &labels, count.unwrap_or_default());
        }
    }
}
