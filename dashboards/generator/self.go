package main

func self() page {
	alerts := []string{"NodeAgent.+"}
	up := of("up", job)
	missing := "count(" + highest(ofCluster("kube_node_info"), "cluster", "node") + " unless on (cluster, node) (" + ofCluster("up", job) +
		" == 1)) or 0 * count(" + ofCluster("kube_node_info") + ")"
	return page{
		name:      "self",
		title:     "nodetap itself",
		question:  "Does nodetap run on every node, see what it should, and cost little?",
		alerts:    alerts,
		family:    "up",
		matchers:  []string{job},
		variables: []variable{nodes},
		top: []view{
			tile("Targets down", "Targets of nodetap that Prometheus can't scrape.", "short", nonzero(), howMany(up, "== 0")),
			tile("Nodes without nodetap", "Nodes that the API server knows and no healthy target of nodetap is on.",
				"short", nonzero(), missing),
			tile("Probes that fail", "Probes whose last run failed; a subsystem that is not on a node is no failure.",
				"short", nonzero(), howMany(of("nodetap_probe_success"), "== 0")),
			tile("Wrong configurations", "Nodes whose configuration was wrong when it was last read: the one before is in force.",
				"short", nonzero(), howMany(of("nodetap_config_last_reload_successful"), "== 0")),
			tile("Series left out", "Series that were left out within a day so that the others could be scraped.",
				"short", above(1, 1000), "sum(increase("+of("nodetap_series_dropped_total")+"[1d]))"),
		},
		sections: []section{
			{"Scrapes", []view{
				timeline("Targets", "Whether Prometheus could scrape each target.", yesNo("up", "down"), up, "{{node}} {{instance}}"),
				lines("Time of a scrape", "How long Prometheus waited for each target.", "s",
					query{of("scrape_duration_seconds", job), "{{node}} {{instance}}"}),
				lines("Samples of a scrape", "How many samples each target gives.", "short",
					query{of("scrape_samples_scraped", job), "{{node}} {{instance}}"}),
				rows("Versions", "Targets by the version they run.",
					col("Targets", "short", plain(), count(of("nodetap_build_info"), "cluster", "version")),
				).wide(12).high(8),
			}},
			{"Probes", []view{
				rows("What can't be read", "Probes whose subsystem, right or file is not there, by reason, and on how many nodes.",
					col("Nodes", "short", plain(), count("("+of("nodetap_probe_available")+" == 0)", "cluster", "probe", "reason")),
				).wide(12).high(8),
				timeline("Failing", "Whether the last run of a probe did not fail, the worst node of each cluster.", yesNo("well", "fails"),
					lowest(of("nodetap_probe_success"), "cluster", "probe"), "{{cluster}} {{probe}}"),
				lines("Time of a probe", "How long a probe's last run took, the slowest node.", "s",
					query{highest(of("nodetap_probe_duration_seconds"), "probe"), "{{probe}}"}),
				lines("Age of a probe's result", "Time since a probe's last run ended, the oldest; slow probes run on their own interval.", "s",
					query{"time() - " + lowest(of("nodetap_probe_last_run_timestamp_seconds"), "probe"), "{{probe}}"}),
				lines("Series of a probe", "Series that a probe has, the most of any node.", "short",
					query{highest(of("nodetap_series"), "probe"), "{{probe}}"}),
				lines("Series left out", "Series that were left out: duplicates, conflicts of types, and those beyond a limit.", "ops",
					query{sum(rate(of("nodetap_series_dropped_total")), "probe", "reason"), "{{probe}} {{reason}}"}),
			}},
			{"Cost", []view{
				lines("CPU", "Cores that each process uses.", "short",
					query{rate(of("process_cpu_seconds_total", job)), "{{node}} {{instance}}"}),
				lines("Memory", "Resident memory of each process.", "bytes",
					query{of("process_resident_memory_bytes", job), "{{node}} {{instance}}"}),
				lines("File descriptors", "Open file descriptors, of those that are allowed.", "percentunit",
					query{of("process_open_fds", job) + " / " + of("process_max_fds", job), "{{node}} {{instance}}"}).marks(above(0.7, 0.9)),
				lines("Uptime", "Time since each process started.", "s",
					query{"time() - " + of("process_start_time_seconds", job), "{{node}} {{instance}}"}),
			}},
			{"Configuration", []view{
				rows("When it was read", "When each target last read a right configuration, and whether the last one was right.",
					col("Right", "short", below(1, 1), lowest(of("nodetap_config_last_reload_successful"), "cluster", "node")),
					col("Read", "dateTimeFromNow", plain(), highest(of("nodetap_config_last_reload_success_timestamp_seconds"), "cluster", "node")+" * 1000"),
				).wide(12).high(8),
				lines("Matches without a number", "Matches of a rule for metrics from lines whose value is no number, or below 0.", "ops",
					query{sum(rate(of("nodetap_derive_refused_total")), "cluster", "rule"), "{{cluster}} {{rule}}"}),
			}},
		},
	}
}
