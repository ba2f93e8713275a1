package main

func ingress() page {
	by := []string{"cluster", "namespace", "ingress"}
	const name = "{{namespace}}/{{ingress}}"
	alerts := []string{"Ingress.+"}
	requests := ofPods("ingress_access_requests_total")
	errors := ofPods("ingress_access_requests_total", `code=~"5.."`)
	duration := func(what string) string { return ofPods("ingress_access_request_duration_seconds_" + what) }
	upstream := func(what string) string { return ofPods("ingress_access_upstream_response_duration_seconds_" + what) }
	// No request is no answer with 5xx.
	ratio := func(rate func(string) string, by ...string) string {
		return sum(rate(errors), by...) + " / (" + sum(rate(requests), by...) + " > 0)"
	}
	return page{
		name:      "ingress",
		title:     "Ingress",
		question:  "Are requests answered, how fast, and by whom not? Made from access logs, so no controller has to tell.",
		alerts:    alerts,
		family:    "ingress_access_requests_total",
		variables: []variable{nodes, namespaces},
		searches:  []search{ingress5xx},
		top: []view{
			tile("Answered with 5xx", "Part of all requests of the last five minutes that were answered with 5xx.",
				"percentunit", above(0.01, 0.05), ratio(lately)),
			tile("Worst ingress", "The ingress that answers most of its requests with 5xx.",
				"percentunit", above(0.01, 0.05), "max("+ratio(lately, by...)+")"),
			tile("Upstreams, 99th percentile", "Time that upstreams take for a request, summed over its attempts.",
				"s", above(1, 5), "histogram_quantile(0.99, "+sum(lately(upstream("bucket")), "le")+")"),
			tile("Requests", "Requests a second, all ingresses together.", "reqps", plain(), sum(lately(requests))),
			tile("Lines behind", "Time since the last line of an access log, by its own time: what is shown here is that old.",
				"s", above(60, 300), highest(of("ingress_access_lag_seconds"))),
		},
		sections: []section{
			{"Requests", []view{
				lines("Requests by ingress", "Requests a second.", "reqps", query{sum(rate(requests), by...), name}),
				lines("By status", "Requests a second by the status they were answered with.", "reqps",
					query{sum(rate(requests), "code"), "{{code}}"}).stack(),
				lines("Part answered with 5xx", "Of each ingress.", "percentunit", query{ratio(rate, by...), name}).marks(above(0.01, 0.05)),
				lines("By method", "Requests a second by method; uncommon ones are other.", "reqps",
					query{sum(rate(requests), "method"), "{{method}}"}).stack(),
			}},
			{"Time", []view{
				lines("Requests", "Time from a request's first byte to the answer's last.", "s",
					query{quantile("0.5", duration("bucket"), "cluster"), "p50 {{cluster}}"},
					query{quantile("0.95", duration("bucket"), "cluster"), "p95 {{cluster}}"},
					query{quantile("0.99", duration("bucket"), "cluster"), "p99 {{cluster}}"}),
				lines("Upstreams", "Time that the upstreams took for a request, summed over its attempts.", "s",
					query{quantile("0.5", upstream("bucket"), "cluster"), "p50 {{cluster}}"},
					query{quantile("0.95", upstream("bucket"), "cluster"), "p95 {{cluster}}"},
					query{quantile("0.99", upstream("bucket"), "cluster"), "p99 {{cluster}}"}),
				lines("Upstreams by ingress, 99th percentile", "The ten slowest ingresses.", "s",
					query{"topk(10, " + quantile("0.99", upstream("bucket"), by...) + ")", name}),
				lines("Upstreams by ingress, mean", "The ten slowest ingresses.", "s",
					query{"topk(10, " + sum(rate(upstream("sum")), by...) + " / (" + sum(rate(upstream("count")), by...) + " > 0))", name}),
			}},
			{"Upstreams and bytes", []view{
				lines("Attempts by status", "Attempts to reach an upstream by the status it answered; more attempts than requests are retries.", "ops",
					query{sum(rate(ofPods("ingress_access_upstream_attempts_total")), "code"), "{{code}}"}).stack(),
				lines("Bytes", "Bytes of requests and of answers.", "Bps",
					query{sum(rate(ofPods("ingress_access_request_bytes_total")), "cluster"), "{{cluster}} requests"},
					query{sum(rate(ofPods("ingress_access_response_bytes_total")), "cluster"), "{{cluster}} answers"}),
				rows("Ingresses", "The last five minutes of each ingress.",
					col("Requests", "reqps", plain(), sum(lately(requests), append(by, "service")...)),
					col("5xx", "percentunit", above(0.01, 0.05), ratio(lately, append(by, "service")...)),
					col("Mean upstream time", "s", above(1, 5), sum(lately(upstream("sum")), append(by, "service")...)+" / ("+sum(lately(upstream("count")), append(by, "service")...)+" > 0)"),
					col("Bytes out", "Bps", plain(), sum(lately(ofPods("ingress_access_response_bytes_total")), append(by, "service")...)),
				).to(link{"Lines with 5xx of this ingress", kibana + "view/" + ingress5xx.id + "?" + sameTime}),
			}},
			cost("nginx|haproxy|envoy|traefik"),
			{"Is this all of it", []view{
				lines("Lines", "Lines of access logs that were looked at, and those that were not understood.", "ops",
					query{sum(rate(of("ingress_access_lines_total")), "cluster", "node"), "{{node}} lines"},
					query{sum(rate(of("ingress_access_parse_errors_total")), "cluster", "node", "reason"), "{{node}} {{reason}}"}),
				lines("Behind", "Time since the last line of an access log, by its own time.", "s",
					query{of("ingress_access_lag_seconds"), "{{node}}"}),
			}},
		},
	}
}
