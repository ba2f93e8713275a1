//! Which families does a director have? Their names, labels and meanings.

use crate::family::Family;

/// The labels of a service.
const L: &[&str] = &[
    "endpoint",
    "env",
    "fwmark",
    "linkaddr",
    "namespace",
    "port",
    "protocol",
    "service",
    "vport",
];
const L_INFO: &[&str] = &[
    "endpoint",
    "env",
    "family",
    "flags",
    "fwmark",
    "linkaddr",
    "namespace",
    "persistence_engine",
    "port",
    "protocol",
    "scheduler",
    "service",
    "vport",
];
const E_INFO: &[&str] = &[
    "endpoint",
    "env",
    "forward_method",
    "fwmark",
    "linkaddr",
    "namespace",
    "port",
    "protocol",
    "service",
    "tunnel_type",
    "vport",
];
const E_BOUND: &[&str] = &[
    "bound",
    "endpoint",
    "env",
    "fwmark",
    "linkaddr",
    "namespace",
    "port",
    "protocol",
    "service",
    "vport",
];

pub(super) const SERVICE_STATS: [Family; 5] = [
    Family::counter(
        "lvs_service_stat_conns_total",
        L,
        "Connections of a virtual server.",
    ),
    Family::counter(
        "lvs_service_stat_inpkts_total",
        L,
        "Packets from clients to a virtual server.",
    ),
    Family::counter(
        "lvs_service_stat_outpkts_total",
        L,
        "Packets from a virtual server to clients; 0 where replies pass by the director.",
    ),
    Family::counter(
        "lvs_service_stat_inbytes_total",
        L,
        "Bytes from clients to a virtual server.",
    ),
    Family::counter(
        "lvs_service_stat_outbytes_total",
        L,
        "Bytes from a virtual server to clients; 0 where replies pass by the director.",
    ),
];
pub(super) const ENDPOINT_STATS: [Family; 5] = [
    Family::counter(
        "lvs_endpoint_stat_conns_total",
        L,
        "Connections of a real server.",
    ),
    Family::counter(
        "lvs_endpoint_stat_inpkts_total",
        L,
        "Packets from clients to a real server.",
    ),
    Family::counter(
        "lvs_endpoint_stat_outpkts_total",
        L,
        "Packets from a real server to clients; 0 where replies pass by the director.",
    ),
    Family::counter(
        "lvs_endpoint_stat_inbytes_total",
        L,
        "Bytes from clients to a real server.",
    ),
    Family::counter(
        "lvs_endpoint_stat_outbytes_total",
        L,
        "Bytes from a real server to clients; 0 where replies pass by the director.",
    ),
];
pub(super) const NODE_TOTALS: [Family; 5] = [
    Family::counter(
        "node_ipvs_connections_total",
        &[],
        "The total number of connections made.",
    ),
    Family::counter(
        "node_ipvs_incoming_packets_total",
        &[],
        "The total number of incoming packets.",
    ),
    Family::counter(
        "node_ipvs_outgoing_packets_total",
        &[],
        "The total number of outgoing packets.",
    ),
    Family::counter(
        "node_ipvs_incoming_bytes_total",
        &[],
        "The total amount of incoming data.",
    ),
    Family::counter(
        "node_ipvs_outgoing_bytes_total",
        &[],
        "The total amount of outgoing data.",
    ),
];
pub(super) const SERVICE_INFO: Family = Family::gauge(
    "lvs_service_info",
    L_INFO,
    "1; what a virtual server is made of.",
);
pub(super) const SERVICE_TIMEOUT: Family = Family::gauge(
    "lvs_service_persistence_timeout_seconds",
    L,
    "How long a client of a persistent virtual server keeps its real server.",
);
pub(super) const SERVICE_ENDPOINTS: Family = Family::gauge(
    "lvs_service_endpoints",
    L,
    "Real servers of a virtual server.",
);
pub(super) const SERVICE_ACTIVE: Family = Family::gauge(
    "lvs_service_active_endpoints",
    L,
    "Real servers of a virtual server whose weight is above 0.",
);
pub(super) const ENDPOINT_INFO: Family = Family::gauge(
    "lvs_endpoint_info",
    E_INFO,
    "1; how packets reach a real server.",
);
pub(super) const ENDPOINT_WEIGHT: Family = Family::gauge(
    "lvs_endpoint_weight",
    L,
    "Weight of a real server; 0 takes no new connections.",
);
pub(super) const ENDPOINT_ACTIVE: Family = Family::gauge(
    "lvs_endpoint_active_connections",
    L,
    "Established connections of a real server.",
);
pub(super) const ENDPOINT_INACTIVE: Family = Family::gauge(
    "lvs_endpoint_inactive_connections",
    L,
    "Connections of a real server in any other state.",
);
pub(super) const ENDPOINT_PERSISTENT: Family = Family::gauge(
    "lvs_endpoint_persistent_connections",
    L,
    "Clients that a persistent virtual server sends to this real server again.",
);
pub(super) const ENDPOINT_THRESHOLD: Family = Family::gauge(
    "lvs_endpoint_connection_threshold",
    E_BOUND,
    "Connections from which on a real server gets no more (upper), and below which it gets some again (lower).",
);
pub(super) const TABLE_SIZE: Family = Family::gauge(
    "lvs_connection_table_size",
    &[],
    "Buckets of the table of connections.",
);
pub(super) const DAEMON: Family = Family::gauge(
    "lvs_sync_daemon_info",
    &["interface", "state", "syncid"],
    "1; a daemon that synchronises connections with another director.",
);
pub(super) const WIDE: Family = Family::gauge(
    "lvs_stats_wide",
    &[],
    "Whether the kernel's counters are 64 bits wide (1) or wrap at 32 (0).",
);
pub(super) const SOURCE: Family = Family::gauge(
    "lvs_source_info",
    &["source"],
    "1; where the virtual servers were read: netlink, or procfs, which has no counters for each of them.",
);
pub(super) const MAPPED: Family = Family::gauge(
    "lvs_vip_mapping_info",
    L,
    "1; a virtual server as the mapping has it.",
);
pub(super) const MAPPED_MISSING: Family = Family::gauge(
    "lvs_vip_mapping_missing_endpoints",
    L,
    "Real servers that the mapping lists and the kernel does not carry.",
);
pub(super) const UNMAPPED: Family = Family::gauge(
    "lvs_vip_unmapped_services",
    &[],
    "Virtual servers that are programmed but not in the mapping.",
);
pub(super) const UNPROGRAMMED: Family = Family::gauge(
    "lvs_vip_unprogrammed_mappings",
    &[],
    "Virtual servers that are in the mapping but not programmed.",
);
pub(super) const MAPPING_WRONG: Family = Family::gauge(
    "lvs_vip_mapping_wrong_entries",
    &[],
    "Entries of the mapping that were not understood.",
);
pub(super) const MAPPING_OK: Family = Family::gauge(
    "lvs_vip_mapping_last_reload_successful",
    &[],
    "Whether the mapping could be read at the last try, all of it.",
);
pub(super) const MAPPING_TIME: Family = Family::gauge(
    "lvs_vip_mapping_last_reload_success_timestamp_seconds",
    &[],
    "When the mapping was last read well, since the epoch.",
);

pub(super) const FAMILIES: &[Family] = &[
    SERVICE_STATS[0],
    SERVICE_STATS[1],
    SERVICE_STATS[2],
    SERVICE_STATS[3],
    SERVICE_STATS[4],
    ENDPOINT_STATS[0],
    ENDPOINT_STATS[1],
    ENDPOINT_STATS[2],
    ENDPOINT_STATS[3],
    ENDPOINT_STATS[4],
    SERVICE_INFO,
    SERVICE_TIMEOUT,
    SERVICE_ENDPOINTS,
    SERVICE_ACTIVE,
    ENDPOINT_INFO,
    ENDPOINT_WEIGHT,
    ENDPOINT_ACTIVE,
    ENDPOINT_INACTIVE,
    ENDPOINT_PERSISTENT,
    ENDPOINT_THRESHOLD,
    TABLE_SIZE,
    DAEMON,
    WIDE,
    SOURCE,
    MAPPED,
    MAPPED_MISSING,
    UNMAPPED,
    UNPROGRAMMED,
    MAPPING_WRONG,
    MAPPING_OK,
    MAPPING_TIME,
    NODE_TOTALS[0],
    NODE_TOTALS[1],
    NODE_TOTALS[2],
    NODE_TOTALS[3],
    NODE_TOTALS[4],
];
