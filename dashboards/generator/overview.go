package main

// overview joins all clusters: one row for each, one tile for each question, and the way to what answers it.
func overview() page {
	cluster := []string{"cluster"}
	full := ofCluster("node_nf_conntrack_entries", job) + " / (" + ofCluster("node_nf_conntrack_entries_limit", job) + " > 0)"
	errors := ofCluster("ingress_access_requests_total", `code=~"5.."`)
	requests := ofCluster("ingress_access_requests_total")
	bad := "sum by (cluster) (" + lately(errors) + ") / (sum by (cluster) (" + lately(requests) + ") > 0)"
	restarts := "sum by (cluster) (increase(" + ofCluster("control_plane_container_restarts_total") + "[1d]))"
	unready := count(ofCluster("readiness_ready")+" == 0", cluster...) + " or 0 * " + count(ofCluster("readiness_ready"), cluster...)
	empty := count("("+sum(ofCluster("lvs_service_active_endpoints"), "cluster", "env", "linkaddr", "vport", "protocol", "fwmark")+" == 0)", cluster...) +
		" or 0 * " + count(ofCluster("lvs_service_active_endpoints"), cluster...)
	alerting := func(severity string) string {
		return count(ofCluster("ALERTS", `alertstate="firing"`, `severity="`+severity+`"`), cluster...) + " or 0 * " + count(ofCluster("up", job), cluster...)
	}
	return page{
		name:     "overview",
		title:    "Overview of all clusters",
		question: "Is anything wrong in any cluster, and which dashboard says more?",
		family:   "up",
		matchers: []string{job},
		searches: []search{controlPlaneRestarts, fatalAndError, ingress5xx, keepalivedChecks, conntrackFull, felixErrors},
		top: []view{
			tile("Nodes not ready", "Nodes whose /ready answers 503.", "short", nonzero(),
				howMany(ofCluster("readiness_ready"), "== 0")).to(detail("Node readiness and ping", "readiness")),
			tile("Control plane restarts in a day", "By log files of the components: known without the API server.", "short", above(1, 4),
				"sum(increase("+ofCluster("control_plane_container_restarts_total")+"[1d]))").to(detail("Control plane restarts", "control-plane")),
			tile("Fullest conntrack table", "Entries divided by the limit, the worst node.", "percentunit", above(0.75, 0.9),
				highest(full)).to(detail("Conntrack", "conntrack")),
			tile("Answered with 5xx", "Part of all requests to ingresses within five minutes.", "percentunit", above(0.01, 0.05),
				sum(lately(errors))+" / ("+sum(lately(requests))+" > 0)").to(detail("Ingress", "ingress")),
			tile("Logs furthest behind", "Age of the oldest line that is not yet kept.", "s", above(60, 300),
				highest(ofCluster("log_read_lag_seconds"))).to(detail("Log pipeline", "logs")),
			tile("Targets down", "Targets of nodetap that Prometheus can't scrape.", "short", nonzero(),
				howMany(ofCluster("up", job), "== 0")).to(detail("nodetap itself", "self")),
			tile("VIPs without real servers", "Virtual servers that have no real server with a weight above 0.", "short", nonzero(),
				"sum("+empty+")").to(detail("LVS services", "lvs")),
			tile("Kernel and keepalived differ", "Real servers for which the kernel's table is not what keepalived says.", "short", nonzero(),
				howMany(ofCluster("keepalived_realserver_ipvs_mismatch"), "> 0")).to(detail("keepalived", "keepalived")),
			tile("Lines lost in a day", "Gaps in streams; each is a record that says how many bytes are missing there.", "short", nonzero(),
				"sum(increase("+ofCluster("log_lines_lost_total")+"[1d]))").to(detail("Log pipeline", "logs")),
		},
		sections: []section{
			{"Clusters", []view{
				rows("Every cluster", "One row for each cluster. An empty cell was not measured there.",
					col("Nodes", "short", plain(), count(highest(ofCluster("up", job), "cluster", "node"), cluster...)),
					col("Critical", "short", nonzero(), alerting("critical")),
					col("Warning", "short", above(1, 1e9), alerting("warning")),
					col("Not ready", "short", nonzero(), unready),
					col("Restarts in a day", "short", above(1, 4), restarts),
					col("Conntrack", "percentunit", above(0.75, 0.9), highest(full, cluster...)),
					col("Empty VIPs", "short", nonzero(), empty),
					col("5xx", "percentunit", above(0.01, 0.05), bad),
					col("Logs behind", "s", above(60, 300), highest(ofCluster("log_read_lag_seconds"), cluster...)),
				).to(link{"Only this cluster", "/d/nodetap-overview?var-cluster=${__data.fields.cluster}&${datasource:queryparam}&${__url_time_range}"}),
			}},
			{"Alerts", []view{
				rows("Firing", "Alerts that fire now, and how many of each; the dashboards say more about them.",
					col("Firing", "short", nonzero(), count(alertSeries(nil), "cluster", "alertname", "severity")),
				).wide(12),
				lines("Firing over time", "How many alerts fire, by severity.", "short",
					query{count(alertSeries(nil), "cluster", "severity"), "{{cluster}} {{severity}}"}).high(9).stack(),
			}},
			{"Side by side", []view{
				lines("Fullest conntrack table", "Entries divided by the limit, the worst node of each cluster.", "percentunit",
					query{highest(full, cluster...), "{{cluster}}"}),
				lines("Loss to the core switch", "Mean loss of each cluster's nodes to their core switches and gateways.", "percentunit",
					query{"avg by (cluster) (" + ofCluster("ping_loss_ratio", `role=~"core_switch|gateway"`) + ")", "{{cluster}}"}),
				lines("Connections to virtual servers", "New connections of all virtual servers of each cluster.", "cps",
					query{sum(rate(ofCluster("lvs_service_stat_conns_total")), cluster...), "{{cluster}}"}),
				lines("Requests to ingresses", "Requests of all ingresses of each cluster.", "reqps",
					query{sum(rate(requests), cluster...), "{{cluster}}"}),
				lines("Bytes of logs", "Bytes of log text that each cluster's nodes saw.", "Bps",
					query{sum(rate(ofCluster("log_bytes_total", `state="seen"`)), cluster...), "{{cluster}}"}),
				lines("Fatal and error", "Lines of level error or fatal of each cluster.", "short",
					query{sum(rate(ofCluster("log_messages_total", `level=~"error|fatal"`)), cluster...), "{{cluster}}"}),
			}},
		},
	}
}
