package main

import "strings"

func lvs() page {
	const name = "{{namespace}}/{{service}} {{linkaddr}}:{{vport}} {{protocol}}{{fwmark}}"
	by := []string{"cluster", "env", "namespace", "service", "linkaddr", "vport", "protocol", "fwmark"}
	endpoint := append(append([]string{}, by...), "endpoint", "port")
	service := func(what string) string { return ofPods("lvs_service_stat_" + what + "_total") }
	chosen := func(what string) string { return ofPods(what, `service=~"$service"`) }
	traffic := func(what string) string {
		return sum(rate(chosen("lvs_service_stat_"+what+"_total")), by...)
	}
	alerts := []string{"LVS.+"}
	share := sum(rate(chosen("lvs_endpoint_stat_conns_total")), endpoint...)
	whole := "(" + sum(rate(chosen("lvs_endpoint_stat_conns_total")), by...) + " > 0)"
	return page{
		name:     "lvs",
		title:    "LVS services",
		question: "Do the virtual servers carry traffic as they should, to real servers that take it, and are they the mapped ones?",
		alerts:   alerts,
		family:   "lvs_service_info",
		variables: []variable{nodes, namespaces,
			{"service", "Service", "Services that the mapping gives to virtual servers; empty for those that are not mapped."}},
		searches: []search{keepalivedChecks},
		top: []view{
			tile("Without real servers", "Virtual servers that have no real server with a weight above 0 on any director: their clients get nothing.",
				"short", nonzero(), howMany(sum(ofPods("lvs_service_active_endpoints"), by...), "== 0")),
			tile("Mapped, not programmed", "Virtual servers that are in the mapping and that no director carries.",
				"short", nonzero(), sum(of("lvs_vip_unprogrammed_mappings"))),
			tile("Programmed, not mapped", "Virtual servers that are programmed and not in the mapping: nobody knows whose they are.",
				"short", above(1, 10), sum(of("lvs_vip_unmapped_services"))),
			tile("Mapping readable", "Whether every director could read the mapping at the last try, all of it.",
				"short", below(1, 1), lowest(of("lvs_vip_mapping_last_reload_successful"))).wide(4),
			tile("New connections", "Connections that all virtual servers take together.",
				"cps", plain(), sum(lately(service("conns")))),
		},
		sections: []section{
			{"Traffic by service", []view{
				lines("Connections", "New connections of each virtual server.", "cps", query{traffic("conns"), name}),
				lines("Packets from clients", "Packets from clients to each virtual server.", "pps", query{traffic("inpkts"), name}),
				lines("Bytes from clients", "Bytes from clients to each virtual server.", "Bps", query{traffic("inbytes"), name}),
				lines("Bytes to clients", "Bytes back to clients; 0 where replies pass by the director (direct routing, tunnels).", "Bps",
					query{traffic("outbytes"), name}),
				lines("Packets to clients", "Packets back to clients; 0 where replies pass by the director (direct routing, tunnels).", "pps",
					query{traffic("outpkts"), name}),
				lines("Connections, this week and last", "All chosen services together, now and seven days before.", "cps",
					query{sum(rate(chosen("lvs_service_stat_conns_total"))), "now"},
					query{sum("rate(" + chosen("lvs_service_stat_conns_total") + "[$__rate_interval] offset 1w)"), "a week ago"}),
			}},
			{"Real servers", []view{
				lines("Weights", "Weight of each real server; 0 takes no new connections.", "short",
					query{highest(chosen("lvs_endpoint_weight"), endpoint...), "{{service}} {{linkaddr}}:{{vport}} → {{endpoint}}:{{port}}"}),
				lines("Share of connections", "Which part of its virtual server's new connections a real server takes.", "percentunit",
					query{share + " / on (" + strings.Join(by, ", ") + ") group_left () " + whole, "{{service}} {{linkaddr}}:{{vport}} → {{endpoint}}:{{port}}"}).upTo(1),
				lines("Active connections", "Established connections of each real server.", "short",
					query{sum(chosen("lvs_endpoint_active_connections"), endpoint...), "{{service}} {{linkaddr}}:{{vport}} → {{endpoint}}:{{port}}"}),
				lines("Inactive connections", "Connections of each real server in any other state.", "short",
					query{sum(chosen("lvs_endpoint_inactive_connections"), endpoint...), "{{service}} {{linkaddr}}:{{vport}} → {{endpoint}}:{{port}}"}),
			}},
			{"Is it what it should be", []view{
				rows("Virtual servers", "What each virtual server has: real servers, those with a weight above 0, and those that the mapping lists and the kernel does not carry.",
					col("Directors", "short", plain(), count(chosen("lvs_service_info"), by...)),
					col("Real servers", "short", plain(), highest(chosen("lvs_service_endpoints"), by...)),
					col("With a weight", "short", below(1, 1), highest(chosen("lvs_service_active_endpoints"), by...)),
					col("Missing", "short", nonzero(), highest(chosen("lvs_vip_mapping_missing_endpoints"), by...)),
				),
				rows("How packets reach real servers", "Real servers by forwarding method and scheduler of their virtual server.",
					col("Real servers", "short", plain(), count(of("lvs_endpoint_info"), "cluster", "env", "forward_method")),
				).wide(12),
				rows("Directors", "Each director's counters, mapping, and what it can tell: without 64-bit counters they wrap, from procfs there are none for each service.",
					col("64-bit counters", "short", below(1, 1), lowest(of("lvs_stats_wide"), "cluster", "node")),
					col("Mapping readable", "short", below(1, 1), lowest(of("lvs_vip_mapping_last_reload_successful"), "cluster", "node")),
					col("Wrong entries", "short", nonzero(), highest(of("lvs_vip_mapping_wrong_entries"), "cluster", "node")),
					col("Mapping read", "dateTimeFromNow", plain(), highest(of("lvs_vip_mapping_last_reload_success_timestamp_seconds"), "cluster", "node")+" * 1000"),
					col("Not programmed", "short", nonzero(), highest(of("lvs_vip_unprogrammed_mappings"), "cluster", "node")),
					col("Not mapped", "short", above(1, 10), highest(of("lvs_vip_unmapped_services"), "cluster", "node")),
				).wide(12),
			}},
			{"Directors as a whole", []view{
				lines("Connections of a director", "New connections of all virtual servers of each director, also where they can't be told apart.", "cps",
					query{rate(of("node_ipvs_connections_total", job)), "{{node}}"}),
				lines("Bytes of a director", "Bytes in and out of each director.", "Bps",
					query{rate(of("node_ipvs_incoming_bytes_total", job)), "{{node}} in"},
					query{rate(of("node_ipvs_outgoing_bytes_total", job)), "{{node}} out"}),
			}},
		},
	}
}
