package main

func calico() page {
	alerts := []string{"Calico.+"}
	bgp := func(metric string) string { return of(metric, `proto="BGP"`) }
	const session = "{{node}} {{name}} IPv{{ip_version}}"
	failures := lately(of("felix_int_dataplane_failures")) + " + " + lately(of("felix_iptables_restore_errors")) + " + " +
		lately(of("felix_iptables_save_errors")) + " + " + lately(of("felix_ipset_errors"))
	return page{
		name:      "calico",
		title:     "Calico",
		question:  "Is Calico well on every node: live, in sync, able to program the kernel, and with its BGP sessions up?",
		alerts:    alerts,
		family:    "calico_healthy",
		variables: []variable{nodes},
		searches:  []search{felixErrors},
		top: []view{
			tile("Nodes not well", "Nodes on which something of Calico is not well; the table below says what.",
				"short", nonzero(), howMany(highest(of("calico_healthy"), "cluster", "node"), "== 0")),
			tile("Health endpoints that fail", "Endpoints of Felix and Typha that do not say they are live or ready.",
				"short", nonzero(), howMany(of("calico_health_probe_success"), "== 0")),
			tile("Not in sync", "Felix that has not yet got all it needs from its datastore.",
				"short", nonzero(), howMany(of("felix_resync_state"), "!= 3")),
			tile("Failures to program", "Errors of Felix when it writes to the kernel, all nodes together.",
				"ops", some("red"), sum(failures)),
			tile("BGP sessions down", "Sessions that are configured and not up.",
				"short", nonzero(), howMany(bgp("bird_protocol_up"), "== 0")),
		},
		sections: []section{
			{"Health", []view{
				timeline("Nodes", "Whether all of Calico is well on a node.", yesNo("well", "not well"),
					highest(of("calico_healthy"), "cluster", "node"), "{{node}}"),
				rows("Why", "The first thing that is not well on each node, or ok.",
					col("Well", "short", below(1, 1), highest(of("calico_healthy"), "cluster", "node", "reason")),
				).wide(12).high(8),
				timeline("Endpoints", "What each health endpoint says.", yesNo("yes", "no"),
					lowest(of("calico_health_probe_success"), "cluster", "node", "component", "check"), "{{node}} {{component}} {{check}}"),
				lines("Time of an endpoint's answer", "How long a health endpoint took.", "s",
					query{highest(of("calico_health_probe_duration_seconds"), "cluster", "node", "component", "check"), "{{node}} {{component}} {{check}}"}),
			}},
			{"Felix", []view{
				timeline("Datastore", "How far Felix is in sync with its datastore.",
					[]state{{"1", "waits for it", "red"}, {"2", "resyncs", "orange"}, {"3", "in sync", "green"}},
					highest(of("felix_resync_state"), "cluster", "node"), "{{node}}"),
				lines("Errors", "What failed when Felix wrote to the kernel.", "ops",
					query{sum(rate(of("felix_int_dataplane_failures")), "cluster", "node"), "{{node}} dataplane"},
					query{sum(rate(of("felix_iptables_restore_errors")), "cluster", "node"), "{{node}} iptables-restore"},
					query{sum(rate(of("felix_iptables_save_errors")), "cluster", "node"), "{{node}} iptables-save"},
					query{sum(rate(of("felix_ipset_errors")), "cluster", "node"), "{{node}} ipset"}),
				lines("Time to apply", "Mean time that Felix takes to bring a change into the kernel.", "s",
					query{sum(rate(of("felix_int_dataplane_apply_time_seconds_sum")), "cluster", "node") + " / (" +
						sum(rate(of("felix_int_dataplane_apply_time_seconds_count")), "cluster", "node") + " > 0)", "{{node}}"}),
				lines("Resyncs", "How often Felix began anew with its datastore.", "ops",
					query{sum(rate(of("felix_resyncs_started")), "cluster", "node"), "{{node}}"}),
				lines("Endpoints and policies", "What is active on each node.", "short",
					query{highest(of("felix_active_local_endpoints"), "cluster", "node"), "{{node}} endpoints"},
					query{highest(of("felix_active_local_policies"), "cluster", "node"), "{{node}} policies"}),
				lines("Hosts that Felix knows", "The number of hosts in the cluster, by the Felix that knows most and the one that knows fewest: they should be one line.", "short",
					query{highest(of("felix_cluster_num_hosts"), "cluster"), "{{cluster}} most"},
					query{lowest(of("felix_cluster_num_hosts"), "cluster"), "{{cluster}} fewest"}),
			}},
			{"BGP", []view{
				timeline("Sessions", "Whether each session is up.", yesNo("up", "down"),
					highest(bgp("bird_protocol_up"), "cluster", "node", "name", "ip_version"), session),
				rows("Sessions", "Since when each session is in its state, and how many routes it brings and gives.",
					col("Up", "short", below(1, 1), highest(bgp("bird_protocol_up"), "cluster", "node", "name", "ip_version", "state")),
					col("In this state", "s", plain(), highest(bgp("bird_protocol_uptime"), "cluster", "node", "name", "ip_version")),
					col("Routes in", "short", plain(), highest(bgp("bird_protocol_prefix_import_count"), "cluster", "node", "name", "ip_version")),
					col("Filtered", "short", plain(), highest(bgp("bird_protocol_prefix_filter_count"), "cluster", "node", "name", "ip_version")),
					col("Routes out", "short", plain(), highest(bgp("bird_protocol_prefix_export_count"), "cluster", "node", "name", "ip_version")),
				).wide(12).high(8),
				lines("Routes in", "Routes that each session brings; a fall is a peer that withdrew them.", "short",
					query{highest(bgp("bird_protocol_prefix_import_count"), "cluster", "node", "name", "ip_version"), session}),
				lines("Routes out", "Routes that each session gives to its peer.", "short",
					query{highest(bgp("bird_protocol_prefix_export_count"), "cluster", "node", "name", "ip_version"), session}),
				timeline("BIRD answers", "Whether BIRD answered on its control socket.", yesNo("answers", "silent"),
					lowest(of("bird_socket_query_success"), "cluster", "node", "ip_version"), "{{node}} IPv{{ip_version}}"),
				rows("Versions", "Which BIRD runs where.",
					col("Nodes", "short", plain(), count(of("bird_daemon_info"), "cluster", "ip_version", "version")),
				).wide(12).high(8),
			}},
			{"Is this all of it", []view{
				timeline("Metrics passed on", "Whether the component's own metrics are on and were passed on.", yesNo("passed on", "off"),
					highest(of("calico_metrics_relayed"), "cluster", "node", "component"), "{{node}} {{component}}"),
				lines("Answers not taken", "Answers with metrics that were refused, by reason.", "ops",
					query{sum(rate(of("calico_metrics_refused_total")), "cluster", "node", "component", "reason"), "{{node}} {{component}} {{reason}}"}),
			}},
		},
	}
}
