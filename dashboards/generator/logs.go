package main

func logs() page {
	pod := []string{"cluster", "namespace", "pod", "container"}
	const name = "{{namespace}}/{{pod}} {{container}}"
	alerts := []string{"Log.+", "ElasticsearchWriteRejections", "ContainerFatalLogs"}
	bytes := func(states string) string { return of("log_bytes_total", `state=~"`+states+`"`) }
	levels := `level=~"error|fatal"`
	return page{
		name:      "logs",
		title:     "Log pipeline",
		question:  "Does every line arrive, how late, and which workloads complain?",
		alerts:    alerts,
		family:    "log_bytes_total",
		variables: []variable{nodes, {"namespace", "Namespace", "Namespaces of pods, where a panel is about pods."}},
		searches:  []search{fatalAndError},
		top: []view{
			tile("Furthest behind", "Age of the oldest line that is not yet kept, on the node that is furthest behind.",
				"s", above(60, 300), highest(of("log_read_lag_seconds"))),
			tile("Lost in a day", "Gaps in streams; each is a record that says how many bytes are missing there.",
				"short", nonzero(), "sum(increase("+of("log_lines_lost_total")+"[1d]))"),
			tile("Shortest time to loss", "Time until rotation removes unread lines if nothing changes, on the worst node.",
				"s", below(3600, 86400), lowest(of("log_time_to_loss_seconds"))),
			tile("Sinks that take nothing", "Nodes whose Elasticsearch takes nothing at the moment.",
				"short", nonzero(), sum(of("nodetap_sink_breaker_open"))),
			tile("Unaccounted bytes", "Bytes that nobody can account for; anything but 0 is a defect.",
				"bytes", some("red"), sum("abs("+of("nodetap_ledger_imbalance_bytes")+")")),
		},
		sections: []section{
			{"Behind", []view{
				lines("Age of the oldest waiting line", "The twenty containers that are furthest behind.", "s",
					query{"topk(20, " + highest(ofPods("log_read_lag_seconds"), pod...) + ")", name}).marks(above(60, 300)).to(linesOfSeries()),
				lines("Bytes that wait", "Bytes written and not yet kept, the twenty highest.", "bytes",
					query{"topk(20, " + sum(ofPods("log_read_lag_bytes"), pod...) + ")", name}).to(linesOfSeries()),
				lines("Time to loss", "Time until rotation removes unread lines, of those that fall behind; the twenty shortest.", "s",
					query{"bottomk(20, " + lowest(ofPods("log_time_to_loss_seconds"), pod...) + ")", name}).to(linesOfSeries()),
				lines("Held although deleted", "Bytes of deleted files that live on only until they are read.", "bytes",
					query{of("log_held_deleted_bytes"), "{{node}}"}),
			}},
			{"What workloads say", []view{
				lines("Lines by level", "Lines by the level that they state themselves.", "short",
					query{sum(rate(ofPods("log_messages_total")), "level"), "{{level}}"}).stack(),
				lines("Errors by workload", "Lines of level error or fatal, the twenty loudest containers.", "short",
					query{"topk(20, " + sum(rate(ofPods("log_messages_total", levels)), pod...) + ")", name}).to(linesOfSeries()),
				rows("Fatal and error", "Lines of level error or fatal within the time that is shown, the fifty loudest containers.",
					col("Lines", "short", above(100, 1000), "topk(50, "+sum(within(ofPods("log_messages_total", levels)), pod...)+")"),
				).wide(12).to(linesOfRow()),
				lines("Secrets replaced", "Secrets in lines that were replaced, by pattern.", "ops",
					query{sum(rate(of("log_redactions_total")), "pattern"), "{{pattern}}"}).high(9),
			}},
			{"The ledger", []view{
				lines("Bytes", "Bytes of log text by what became of them. What was seen and is none of the others is in flight or unread.", "Bps",
					query{sum(rate(bytes("seen|acknowledged|filtered|dead_lettered|abandoned")), "state"), "{{state}}"}),
				lines("Abandoned", "Bytes that were seen and could not be read any more, by reason.", "Bps",
					query{sum(rate(of("log_bytes_abandoned_total")), "cluster", "reason"), "{{cluster}} {{reason}}"}).stack(),
				lines("Gaps", "Gaps in streams by reason, within the time that is shown.", "short",
					query{sum(within(of("log_lines_lost_total")), "cluster", "reason"), "{{cluster}} {{reason}}"}).stack(),
				lines("Strange lines", "Lines that were not in their file's format, and lines in which bytes that were not UTF-8 were replaced.", "ops",
					query{sum(rate(of("log_unparsed_lines_total")), "cluster"), "{{cluster}} other format"},
					query{sum(rate(of("log_invalid_utf8_lines_total")), "cluster"), "{{cluster}} not UTF-8"}),
			}},
			{"Shipping", []view{
				lines("Records by result", "Records by what the sink made of them.", "ops",
					query{sum(rate(of("nodetap_sink_items_total")), "sink", "result"), "{{sink}} {{result}}"}).stack(),
				lines("Requests by status", "Requests to Elasticsearch by the status of their answer; error where none came.", "reqps",
					query{sum(rate(of("nodetap_sink_requests_total")), "sink", "code"), "{{sink}} {{code}}"}).stack(),
				lines("Time of requests", "How long requests to Elasticsearch took, their answers included.", "s",
					query{quantile("0.5", of("nodetap_sink_request_duration_seconds_bucket"), "sink"), "{{sink}} p50"},
					query{quantile("0.99", of("nodetap_sink_request_duration_seconds_bucket"), "sink"), "{{sink}} p99"}),
				lines("In flight", "Bytes handed to the sink and not yet confirmed; when the limit is used up, reading stops.", "bytes",
					query{sum(of("nodetap_sink_in_flight_bytes"), "cluster", "node", "sink"), "{{node}} {{sink}}"}),
				lines("Embedded store", "Size of the store on each node that keeps its lines itself.", "bytes",
					query{of("nodetap_store_bytes"), "{{node}}"}),
				lines("Streams", "Streams that are followed, by node.", "short",
					query{of("nodetap_streams"), "{{node}}"}),
			}},
			{"Behind the nodes", []view{
				lines("Elasticsearch rejects", "Writes that Elasticsearch's thread pools rejected, by elasticsearch_exporter.", "ops",
					query{sum(rate(ofCluster("elasticsearch_thread_pool_rejected_count", `type=~"write|bulk"`)), "cluster", "name", "type"), "{{name}} {{type}}"}),
				lines("Elasticsearch breakers", "How often circuit breakers tripped, by elasticsearch_exporter.", "ops",
					query{sum(rate(ofCluster("elasticsearch_breakers_tripped")), "cluster", "name", "breaker"), "{{name}} {{breaker}}"}),
				lines("Kafka consumers", "How far consumer groups are behind, where lines go on by Kafka.", "short",
					query{sum(ofCluster("kafka_consumergroup_lag"), "cluster", "consumergroup", "topic"), "{{consumergroup}} {{topic}}"}).wide(24),
			}},
		},
	}
}
