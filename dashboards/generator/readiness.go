package main

func readiness() page {
	const target = "{{node}} → {{target}} {{role}}"
	buckets := of("ping_response_duration_seconds_bucket")
	loss := "1 - " + sum(rate(of("ping_probes_received_total")), "cluster", "node", "target", "role") +
		" / " + sum(rate(of("ping_probes_sent_total")), "cluster", "node", "target", "role")
	alerts := []string{"CoreSwitch.+", "NodeReadiness.+", "ManyNodesReadinessFailed"}
	return page{
		name:      "readiness",
		title:     "Node readiness and ping",
		question:  "Does the network behind each node answer, and which nodes say they are not ready?",
		alerts:    alerts,
		family:    "readiness_ready",
		variables: []variable{nodes},
		top: []view{
			tile("Nodes not ready", "Nodes whose /ready answers 503.", "short", nonzero(), howMany(of("readiness_ready"), "== 0")),
			tile("Part not ready", "Nodes that are not ready, of all. Many at once: suspect the switch, not the nodes.",
				"percentunit", above(0.05, 0.2), "1 - avg("+of("readiness_ready")+")"),
			tile("Held by the guard", "Nodes that stay ready only because their peers answer while every other target is silent.",
				"short", above(1, 1), sum(of("readiness_guard_active"))),
			tile("Silent targets", "Pairs of node and target with no answer to any of the last probes.",
				"short", nonzero(), howMany(of("ping_up"), "== 0")),
			tile("Highest loss", "The pair of node and target that loses most of the last probes.",
				"percentunit", above(0.01, 0.05), highest(of("ping_loss_ratio"))),
		},
		sections: []section{
			{"Ready", []view{
				timeline("Nodes", "What /ready answers on each node.", yesNo("ready", "not ready"), of("readiness_ready"), "{{node}}"),
				timeline("Checks", "Whether a role is well: one of its targets answers.", yesNo("well", "not well"),
					of("readiness_check_ready"), "{{node}} {{check}}"),
				lines("Changes", "How often nodes became ready or unready.", "short",
					query{sum(within(of("readiness_transitions_total")), "cluster", "node"), "{{node}}"}),
				lines("Answers of /ready", "Requests to /ready by the status that they got.", "reqps",
					query{sum(rate(of("readiness_http_requests_total")), "cluster", "code"), "{{cluster}} {{code}}"}).stack(),
			}},
			{"Ping", []view{
				history("Loss", "Loss of each pair of node and target: one row is one path, red is lost.", "percentunit",
					[]limit{{colour: "green"}, {0.01, "yellow"}, {0.05, "orange"}, {0.5, "red"}},
					highest(of("ping_loss_ratio"), "cluster", "node", "target", "role"), target).wide(24).high(10),
				lines("Loss, exactly", "Probes without an answer, of those that were sent: from counters, so no scrape misses any.", "percentunit",
					query{loss, target}).marks(above(0.01, 0.05)).upTo(1),
				lines("Time to an answer", "Median and 95th percentile over the chosen nodes, by role.", "s",
					query{quantile("0.5", buckets, "cluster", "role"), "{{cluster}} {{role}} p50"},
					query{quantile("0.95", buckets, "cluster", "role"), "{{cluster}} {{role}} p95"}),
				lines("Slowest paths", "Mean time to an answer, the twenty slowest pairs of node and target.", "s",
					query{"topk(20, " + of("ping_rtt_mean_seconds") + ")", target}),
				lines("Worst answer", "Longest time to an answer among the last probes, the twenty slowest pairs.", "s",
					query{"topk(20, " + of("ping_rtt_worst_seconds") + ")", target}),
				lines("Jitter", "Standard deviation of the time to an answer, the twenty highest.", "s",
					query{"topk(20, " + of("ping_rtt_std_deviation_seconds") + ")", target}),
				lines("Probes that could not be sent", "Missing rights, or no way to the target.", "ops",
					query{sum(rate(of("ping_probe_errors_total")), "cluster", "node", "target", "reason"), "{{node}} → {{target}} {{reason}}"}),
				rows("How targets are asked", "icmp_dgram, icmp_raw or tcp: the first that works is used.",
					col("Nodes", "short", plain(), count(of("ping_method_info"), "cluster", "target", "method")),
				).wide(12).high(8),
				lines("Duplicates", "Answers beyond the first to the same probe: a loop, or an address that two machines have.", "ops",
					query{sum(rate(of("ping_probes_duplicate_total")), "cluster", "node", "target"), "{{node}} → {{target}}"}),
			}},
		},
	}
}
