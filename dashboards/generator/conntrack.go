package main

func conntrack() page {
	const (
		entries = "node_nf_conntrack_entries"
		limit   = "node_nf_conntrack_entries_limit"
	)
	// A limit of 0 means none on older kernels.
	capped := "(" + of(limit, job) + " > 0)"
	full := of(entries, job) + " / " + capped
	pods := of("conntrack_netns_entries") + " / on (cluster, node, instance) group_left () " + capped
	stat := func(name string) string { return of("conntrack_stat_" + name + "_total") }
	fullness := above(0.75, 0.9)
	return page{
		name:      "conntrack",
		title:     "Conntrack",
		question:  "Does connection tracking drop packets, or will it soon? Full tables, races, and traffic that bypasses the table.",
		alerts:    []string{"NodeConntrack.+", "PodConntrack.+", "PodNetnsConntrack.+"},
		searches:  []search{conntrackFull},
		family:    entries,
		matchers:  []string{job},
		variables: []variable{nodes},
		top: []view{
			tile("Fullest table", "The node whose table is fullest: entries divided by the limit. At 1 new connections are dropped.",
				"percentunit", fullness, highest(full)),
			tile("Packets dropped", "Packets dropped because no entry could be made, all nodes together, over five minutes.",
				"pps", some("red"), sum(lately(stat("drop")))),
			tile("Entries evicted early", "Entries removed before their time to make room: the table is or was full.",
				"ops", some("orange"), sum(lately(stat("early_drop")))),
			tile("Insertions failed", "Two packets of one flow raced and one was lost; DNS look-ups that take five seconds are the usual symptom.",
				"ops", above(1, 10), sum(lately(stat("insert_failed")))),
			tile("Fullest pod", "The pod's network namespace whose own table is fullest; each is held to the node's limit.",
				"percentunit", fullness, highest(pods)),
		},
		sections: []section{
			{"How full", []view{
				bars("Fullest nodes", "Entries divided by the limit, the twenty fullest.",
					"percentunit", fullness, "sort_desc(topk(20, "+full+"))", "{{cluster}} {{node}}").upTo(1),
				lines("Usage", "Entries divided by the limit of each node.", "percentunit",
					query{full, "{{node}}"}).marks(fullness).upTo(1),
				lines("Entries and limits", "Entries in the table, and the most that the kernel takes.", "short",
					query{of(entries, job), "{{node}} entries"}, query{of(limit, job), "{{node}} limit"}),
				lines("Usage in four hours", "What usage will be if the last hour goes on like this; above 1 the table will be full.", "percentunit",
					query{"clamp_min(predict_linear(" + of(entries, job) + "[1h], 4 * 3600), 0) / " + capped, "{{node}}"}).marks(above(0.75, 1)),
			}},
			{"What goes wrong", []view{
				lines("Drops", "Packets that were dropped because no entry could be made or inserted.", "pps",
					query{sum(rate(stat("drop")), "cluster", "node"), "{{node}}"}),
				lines("Early drops", "Entries evicted before their time because the table was full.", "ops",
					query{sum(rate(stat("early_drop")), "cluster", "node"), "{{node}}"}),
				lines("Races", "Insertions that failed cost a packet each; clashes were resolved without a loss.", "ops",
					query{sum(rate(stat("insert_failed")), "cluster", "node"), "{{node}} failed"},
					query{sum(rate(stat("clash_resolve")), "cluster", "node"), "{{node}} resolved"}),
				lines("Long chains", "Insertions refused because a bucket was too long, and look-ups begun anew: the table has too few buckets.", "ops",
					query{sum(rate(stat("chain_too_long")), "cluster", "node"), "{{node}} chain too long"},
					query{sum(rate(stat("search_restart")), "cluster", "node"), "{{node}} search restart"}),
				lines("Invalid packets", "Packets that belong to no connection, and malformed ICMP errors.", "pps",
					query{sum(rate(stat("invalid")), "cluster", "node"), "{{node}} invalid"},
					query{sum(rate(stat("error")), "cluster", "node"), "{{node}} ICMP error"}),
				lines("Losses by CPU", "Drops, early drops and failed insertions of each CPU: one CPU alone points to one flow or one queue.", "ops",
					query{sum(rate(stat("drop"))+" + "+rate(stat("early_drop"))+" + "+rate(stat("insert_failed")), "cpu"), "CPU {{cpu}}"}).stack(),
			}},
			{"Who fills it", []view{
				bars("Fullest pods", "Entries in the tables of pods' own network namespaces, divided by the limit; the twenty fullest.",
					"percentunit", fullness, "sort_desc(topk(20, "+highest(pods, "cluster", "node", "namespace", "pod")+"))",
					"{{node}} {{namespace}}/{{pod}}").upTo(1).to(linesOfSeries()),
				lines("Entries of pods", "Entries in the tables of pods' own network namespaces.", "short",
					query{"topk(20, " + highest(of("conntrack_netns_entries"), "cluster", "node", "namespace", "pod") + ")", "{{node}} {{namespace}}/{{pod}}"}).to(linesOfSeries()),
			}},
			{"Who fills the node's table (where export.conntrack_top is on)", []view{
				lines("Entries by pod", "Entries of connections that a pod opened or that were opened to it, the twenty highest.", "short",
					query{"topk(20, " + sum(of("conntrack_pod_entries", `pod!=""`), "cluster", "node", "namespace", "pod", "direction") + ")",
						"{{node}} {{namespace}}/{{pod}} {{direction}}"}).to(linesOfSeries()),
				lines("Entries by state", "Entries by protocol and state.", "short",
					query{sum(of("conntrack_state_entries"), "protocol", "state"), "{{protocol}} {{state}}"}).stack(),
				rows("Passes through the table", "What reading the whole table cost the last time; one that was cut off says too little.",
					col("Took", "s", above(5, 30), highest(of("conntrack_dump_duration_seconds"), "cluster", "node")),
					col("Entries", "short", plain(), highest(of("conntrack_dump_entries"), "cluster", "node")),
					col("Cut off", "short", nonzero(), highest(of("conntrack_dump_truncated"), "cluster", "node")),
					col("Read", "dateTimeFromNow", plain(), highest(of("conntrack_dump_last_success_timestamp_seconds"), "cluster", "node")+" * 1000"),
				).wide(24).high(6),
			}},
			{"Bypass", []view{
				lines("Packets past tracking", "Packets that NOTRACK rules took out of connection tracking; only rules with a counter count.", "pps",
					query{sum(rate(of("conntrack_notrack_packets_total")), "cluster", "node", "backend", "chain", "comment"), "{{node}} {{backend}} {{chain}} {{comment}}"}),
				rows("NOTRACK rules", "How many rules take packets out of tracking, and whether a backend's rules can be read at all (1) or not (0).",
					col("Rules", "short", plain(), sum(of("conntrack_notrack_rules"), "cluster", "node", "backend")),
					col("Readable", "short", below(1, 1), lowest(of("conntrack_notrack_readable"), "cluster", "node", "backend")),
					col("Expected", "short", plain(), highest(of("conntrack_notrack_expected"), "cluster", "node")),
				).wide(12).high(8),
				lines("Entries that should bypass", "Entries from or to a subnet that should pass by connection tracking; anything but 0 is a hole in the rules.", "short",
					query{sum(of("conntrack_bypass_entries"), "cluster", "node", "subnet"), "{{node}} {{subnet}}"}).wide(24),
			}},
			{"How it is set up", []view{
				rows("Sizes", "Limit, buckets, and what kube-proxy would set by its defaults; many entries for each bucket make look-ups slow.",
					col("Limit", "short", plain(), highest(of(limit, job), "cluster", "node")),
					col("Advised limit", "short", plain(), highest(of("conntrack_advised_entries_limit"), "cluster", "node")),
					col("Buckets", "short", plain(), highest(of("conntrack_buckets"), "cluster", "node")),
					col("Entries for each bucket", "short", above(1, 4), highest(of(entries, job)+" / "+of("conntrack_buckets"), "cluster", "node")),
					col("Expectations", "short", plain(), highest(of("conntrack_expect_limit"), "cluster", "node")),
				).wide(24),
				rows("Time-outs", "How long an entry stays without a packet, and what kube-proxy would set by its defaults, where it sets any.",
					col("Set", "s", plain(), highest(of("conntrack_timeout_seconds"), "protocol", "state")),
					col("Advised", "s", plain(), highest(of("conntrack_advised_timeout_seconds"), "protocol", "state")),
				).wide(12),
				rows("Where the counters come from", "procfs, netlink, or none: kernels without the file need CAP_NET_ADMIN.",
					col("Nodes", "short", plain(), count(of("conntrack_stat_source_info"), "cluster", "source")),
				).wide(12),
			}},
		},
	}
}
