package main

func keepalived() page {
	server := []string{"cluster", "node", "linkaddr", "vport", "protocol", "endpoint", "port"}
	check := append(append([]string{}, server...), "method", "checker")
	const (
		whole  = "{{node}} {{linkaddr}}:{{vport}} {{protocol}}{{fwmark}}"
		single = "{{node}} {{linkaddr}}:{{vport}} → {{endpoint}}:{{port}}"
	)
	alerts := []string{"Keepalived.+", "LVSRealServerMissing"}
	return page{
		name:      "keepalived",
		title:     "keepalived",
		question:  "Is there one master for each address, and do the health checks, keepalived and the kernel's table agree?",
		alerts:    alerts,
		family:    "keepalived_up",
		variables: []variable{nodes},
		searches:  []search{keepalivedChecks},
		top: []view{
			tile("keepalived not running", "Nodes that have keepalived configured and no process of it.",
				"short", nonzero(), howMany(of("keepalived_up"), "== 0")),
			tile("Wrong number of masters", "VRRP instances that have no master, or more than one.",
				"short", nonzero(), howMany(sum("("+of("keepalived_vrrp_state")+" == bool 2)", "cluster", "iname"), "!= 1")),
			tile("Checks that fail", "Health checks that are switched on and say that a real server is not well.",
				"short", nonzero(), howMany(of("keepalived_checker_up"), "== 0")),
			tile("Kernel differs", "Real servers for which the kernel's table is not what keepalived says.",
				"short", nonzero(), howMany(of("keepalived_realserver_ipvs_mismatch"), "> 0")),
			tile("Quorum lost", "Virtual servers that have too few real servers.",
				"short", nonzero(), howMany(of("keepalived_virtualserver_quorum_up"), "== 0")),
		},
		sections: []section{
			{"VRRP", []view{
				timeline("State", "State of each VRRP instance on each node.",
					[]state{{"0", "init", "yellow"}, {"1", "backup", "blue"}, {"2", "master", "green"}, {"3", "fault", "red"}},
					of("keepalived_vrrp_state"), "{{node}} {{iname}}"),
				lines("Masters", "Nodes that say they are master of an instance; anything but 1 is a fault.", "short",
					query{sum("("+of("keepalived_vrrp_state")+" == bool 2)", "cluster", "iname"), "{{iname}}"}),
			}},
			{"Health checks", []view{
				rows("Checks", "Each health check: whether it is on, has run, is well, and what it adds to the weight.",
					col("Enabled", "short", plain(), highest(of("keepalived_checker_enabled"), check...)),
					col("Has run", "short", below(1, 1), lowest(of("keepalived_checker_has_run"), check...)),
					col("Well", "short", below(1, 1), lowest(of("keepalived_checker_up"), check...)),
					col("Weight", "short", []limit{{colour: "green"}, {254, "red"}}, highest(of("keepalived_checker_weight"), check...)),
				),
				lines("MISC_CHECK results", "Results of scripts that keepalived's log told; it logs changes only, unless told otherwise.", "ops",
					query{sum(rate(of("keepalived_misc_check_results_total")), "cluster", "node", "checker", "result"), "{{node}} {{checker}} {{result}}"}).stack(),
				lines("Failing checks of a real server", "How many checks of each real server fail, by the dump.", "short",
					query{highest(of("keepalived_realserver_failed_checkers"), server...), single}),
			}},
			{"Real servers", []view{
				timeline("Alive", "Whether keepalived takes a real server for alive.", yesNo("alive", "dead"),
					lowest(of("keepalived_realserver_alive"), server...), single),
				lines("Effective weight", "Weight that a real server should have now, by its checks.", "short",
					query{highest(of("keepalived_realserver_effective_weight"), server...), single}),
				rows("Keepalived against the kernel", "Where the kernel's table differs: missing there, there unexpectedly, another weight, or a weight out of range.",
					col("Differs", "short", nonzero(), highest(of("keepalived_realserver_ipvs_mismatch"), append(append([]string{}, server...), "kind")...)),
				),
			}},
			{"Virtual servers", []view{
				timeline("Quorum", "Whether a virtual server has enough real servers.", yesNo("enough", "too few"),
					lowest(of("keepalived_virtualserver_quorum_up"), "cluster", "node", "linkaddr", "vport", "protocol", "fwmark"), whole),
				lines("Age of the dumps", "Time since keepalived wrote a dump; one older than two minutes is not used.", "s",
					query{"time() - " + of("keepalived_dump_timestamp_seconds"), "{{node}} {{file}}"}),
			}},
		},
	}
}
