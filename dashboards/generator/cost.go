package main

// cost is what the containers of a program take from their node, beside what they do.
func cost(programs string, more ...string) section {
	by := []string{"cluster", "namespace", "pod", "container"}
	const name = "{{namespace}}/{{pod}} {{container}}"
	chosen := func(metric string) string {
		return ofPods(metric, append([]string{`program=~"` + programs + `"`}, more...)...)
	}
	top := func(expression string) string { return "topk(20, " + expression + ")" }
	return section{"What it costs", []view{
		lines("CPU", "Cores that each container uses, the twenty highest.", "short",
			query{top(sum(rate(chosen("cgroup_cpu_usage_seconds_total")), by...)), name}).to(linesOfSeries()),
		lines("Throttled", "Part of the scheduler's periods in which a container had used up its limit and was stopped.", "percentunit",
			query{top(sum(rate(chosen("cgroup_cpu_throttled_periods_total")), by...) + " / (" +
				sum(rate(chosen("cgroup_cpu_periods_total")), by...) + " > 0)"), name}).marks(above(0.05, 0.25)).upTo(1),
		lines("Memory", "Memory of each container without files that were not used lately: what the kubelet evicts by.", "bytes",
			query{top(highest(chosen("cgroup_memory_working_set_bytes"), by...)), name}),
		lines("Memory of its limit", "The same, of what the container may have.", "percentunit",
			query{top(highest(chosen("cgroup_memory_working_set_bytes"), by...) + " / " + highest(chosen("cgroup_memory_limit_bytes"), by...)), name}).marks(above(0.8, 0.95)).upTo(1),
		lines("Killed for memory", "Processes that were killed because their container's memory was full, within the time that is shown.", "short",
			query{sum(within(chosen("cgroup_memory_oom_kills_total")), by...), name}).wide(24),
	}}
}
