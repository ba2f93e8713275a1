package main

func controlPlane() page {
	alerts := []string{"Kube.+", "EtcdRestart", "ControlPlane.+", "NodeClock.+"}
	const components = `container=~"kube-apiserver|kube-controller-manager|kube-scheduler|etcd"`
	const kubeStateMetrics = `job="kube-state-metrics"`
	day := func(counter string) string { return "increase(" + counter + "[1d])" }
	api := ofCluster("kube_pod_container_status_restarts_total", kubeStateMetrics, `namespace="kube-system"`, components)
	files := of("control_plane_container_restarts_total")
	starts := of("control_plane_process_starts_observed_total")
	// Two replicas of kube-state-metrics say the same: the highest counts, not the sum.
	byAPI := highest(day(api), "cluster", "namespace", "pod", "container")
	gone := "(" + highest(of("control_plane_container_expected"), "cluster", "node", "component") + " == 1) unless on (cluster, node, component) (" +
		highest(of("control_plane_container_running"), "cluster", "node", "component") + " == 1)"
	return page{
		name:      "control-plane",
		title:     "Control plane restarts",
		question:  "Did kube-apiserver, kube-controller-manager, kube-scheduler or etcd restart, and do they run? Also when the API can't tell.",
		alerts:    alerts,
		family:    "control_plane_container_running",
		variables: []variable{nodes},
		searches:  []search{controlPlaneRestarts},
		since:     "now-24h",
		top: []view{
			tile("Restarts in a day, by log files", "By the number of the newest log of each container: known without the API server.",
				"short", above(1, 4), sum(day(files))),
			tile("Restarts in a day, by processes", "Starts of processes that nodetap saw: also after a manifest was changed.",
				"short", above(1, 4), sum(day(starts))),
			tile("Restarts in a day, by the API", "What kube-state-metrics says; it says nothing while the API server is down.",
				"short", above(1, 4), sum(byAPI)),
			tile("Expected, not running", "Components with a static pod manifest on a node and no process there.",
				"short", nonzero(), "count("+gone+") or 0 * count("+of("control_plane_container_expected")+")"),
			tile("Youngest process", "Time since the latest start of any component.",
				"s", below(600, 3600), "time() - "+highest(of("control_plane_process_start_time_seconds"))),
		},
		sections: []section{
			{"Restarts", []view{
				lines("By log files", "Restarts within an hour, by the number of a container's newest log.", "short",
					query{highest("increase("+files+"[1h])", "cluster", "node", "component"), "{{node}} {{component}}"}),
				lines("By processes", "Starts of a component's process within an hour.", "short",
					query{highest("increase("+starts+"[1h])", "cluster", "node", "component"), "{{node}} {{component}}"}),
				lines("By the API", "Restarts within an hour, by kube-state-metrics.", "short",
					query{highest("increase("+api+"[1h])", "cluster", "pod", "container"), "{{pod}} {{container}}"}),
				lines("Restarts so far", "Number of each container's newest log, and what the API says of the same pod; they differ after a manifest was changed.", "short",
					query{highest(files, "cluster", "pod", "container"), "{{pod}} {{container}} files"},
					query{highest(api, "cluster", "pod", "container"), "{{pod}} {{container}} API"}),
			}},
			{"Leaders", []view{
				lines("Elections lost", "Leaders that lost their lease, by their own lines: a slow etcd or a clock that jumps is the first suspect.", "short",
					query{sum(within(of("control_plane_leader_elections_total", `result="lost"`)), "cluster", "node", "component"), "{{node}} {{component}}"}),
				lines("Elections won", "Leaders that took over, by their own lines.", "short",
					query{sum(within(of("control_plane_leader_elections_total", `result="won"`)), "cluster", "node", "component"), "{{node}} {{component}}"}),
			}},
			{"Clocks", []view{
				lines("Offset", "How far each node's clock is from its reference; leases and etcd bear little.", "s",
					query{of("node_timex_offset_seconds", job), "{{node}}"}),
				timeline("Kept right", "Whether something keeps the clock of a node right.", yesNo("kept right", "runs free"),
					of("node_timex_sync_status", job), "{{node}}"),
			}},
			{"Processes", []view{
				timeline("Running", "Whether a process of the component runs on the node.", yesNo("running", "not running"),
					highest(of("control_plane_container_running"), "cluster", "node", "component"), "{{node}} {{component}}"),
				rows("Since when", "Start of each component's process, and when its newest log was last written to.",
					col("Started", "dateTimeFromNow", plain(), highest(of("control_plane_process_start_time_seconds"), "cluster", "node", "component", "pod")+" * 1000"),
					col("Last line", "dateTimeFromNow", plain(), highest(of("control_plane_container_log_modified_timestamp_seconds"), "cluster", "node", "component", "pod")+" * 1000"),
				).wide(12).high(8),
				rows("How containers ended last", "Reason of each container's last end, by kube-state-metrics.",
					col("Containers", "short", plain(), count("("+ofCluster("kube_pod_container_status_last_terminated_reason", kubeStateMetrics, `namespace="kube-system"`, components)+" == 1)",
						"cluster", "pod", "container", "reason")),
				).wide(12).high(8),
				lines("Lines by level", "Lines of the components' logs that are warnings or worse.", "short",
					query{sum(rate(of("log_messages_total", `namespace="kube-system"`, components, `level=~"warn|error|fatal"`)), "cluster", "container", "level"), "{{container}} {{level}}"}).stack(),
			}},
		},
	}
}
