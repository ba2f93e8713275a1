package main

func jvm() page {
	// The name of a JVM is part of its identity: a container can have several.
	by := []string{"cluster", "namespace", "pod", "container", "jvm"}
	const name = "{{namespace}}/{{pod}} {{jvm}}"
	alerts := []string{"JVM.+", "ContainerCPUThrottled"}
	chosen := func(metric string, more ...string) string {
		return ofPods(metric, append([]string{`pod=~"$pod"`}, more...)...)
	}
	heap := func(what string) string { return chosen("jvm_memory_"+what+"_bytes", `area="heap"`) }
	heapUse := highest(heap("used"), by...) + " / (" + highest(heap("max"), by...) + " > 0)"
	const oldPools = `pool=~".*(Old Gen|Tenured Gen)"`
	oldUse := highest("min_over_time("+chosen("jvm_memory_pool_used_bytes", oldPools)+"[30m])", by...) +
		" / (" + highest(chosen("jvm_memory_pool_max_bytes", oldPools), by...) + " > 0)"
	// Concurrent cycles take time and stop nobody.
	const pauses = `gc!~".*(Concurrent|Cycles).*"`
	// A JVM may be seen from outside and by its agent; both count once.
	spent := func(window func(string) string) string {
		return sum(highest(window(chosen("jvm_gc_collection_seconds_sum", pauses)), append(by, "gc")...), by...)
	}
	top := func(expression string) string { return "topk(20, " + expression + ")" }
	return page{
		name:     "jvm",
		title:    "JVMs",
		question: "Is a JVM short of heap, does it stand still for its collector, and which can't be read and why?",
		alerts:   alerts,
		family:   "jvm_perfdata_available",
		variables: []variable{nodes, namespaces,
			{"pod", "Pod", "Pods with a JVM."}},
		searches: []search{fatalAndError},
		top: []view{
			tile("Most time in collections", "Part of its time that a JVM stands still for its collector, the worst JVM.",
				"percentunit", above(0.05, 0.1), "max("+spent(lately)+")"),
			tile("Fullest old generation", "Part of the old generation that was used even at its lowest within half an hour, the worst JVM.",
				"percentunit", above(0.8, 0.9), "max("+oldUse+")"),
			tile("Longest last pause", "How long the last collection of any JVM took.",
				"s", above(0.5, 2), highest(chosen("jvm_gc_last_pause_seconds", pauses))),
			tile("JVMs", "JVMs on the chosen nodes.", "short", plain(), count(sum(chosen("jvm_perfdata_available"), by...))),
			tile("Not readable", "JVMs whose own counters can't be read; the table below says why.",
				"short", above(1, 1e9), howMany(highest(chosen("jvm_perfdata_available"), by...), "== 0")),
		},
		sections: []section{
			{"Heap (as of the last collection, where there is no agent)", []view{
				bars("Fullest heaps", "Used of the most that the heap may have, the twenty fullest.", "percentunit", above(0.85, 0.95),
					"sort_desc("+top(heapUse)+")", name).upTo(1).to(linesOfSeries()),
				lines("Heap", "Used, committed, and the most that it may have, of the chosen JVMs.", "bytes",
					query{top(highest(heap("used"), by...)), name + " used"},
					query{top(highest(heap("committed"), by...)), name + " committed"},
					query{top(highest(heap("max"), by...)), name + " max"}),
				lines("Pools", "Used bytes of each memory pool, the twenty largest.", "bytes",
					query{top(highest(chosen("jvm_memory_pool_used_bytes"), append(by, "pool")...)), name + " {{pool}}"}),
				lines("Old generation", "Used even at its lowest within half an hour, of the most that it may have.", "percentunit",
					query{top(oldUse), name}).marks(above(0.8, 0.9)),
				lines("Not heap", "Used bytes outside the heap; without an agent it is metaspace alone.", "bytes",
					query{top(highest(chosen("jvm_memory_used_bytes", `area="nonheap"`), by...)), name}),
				lines("Committed pools", "Committed bytes of each memory pool, the twenty largest.", "bytes",
					query{top(highest(chosen("jvm_memory_pool_committed_bytes"), append(by, "pool")...)), name + " {{pool}}"}),
			}},
			{"Collections", []view{
				lines("Time in collections", "Part of its time that a JVM stands still for its collector.", "percentunit",
					query{top(spent(rate)), name}).marks(above(0.05, 0.1)).to(linesOfSeries()),
				lines("Collections", "How often each collector runs.", "ops",
					query{top(highest(rate(chosen("jvm_gc_collection_seconds_count")), append(by, "gc")...)), name + " {{gc}}"}),
				lines("Last pause", "How long the last collection took, by collector.", "s",
					query{top(highest(chosen("jvm_gc_last_pause_seconds"), append(by, "gc")...)), name + " {{gc}}"}),
				lines("Mean collection", "Time of a collection, by collector.", "s",
					query{top(highest(rate(chosen("jvm_gc_collection_seconds_sum")), append(by, "gc")...) + " / (" +
						highest(rate(chosen("jvm_gc_collection_seconds_count")), append(by, "gc")...) + " > 0)"), name + " {{gc}}"}),
			}},
			{"Safepoints and threads", []view{
				lines("Time at safepoints", "Part of its time that all threads of a JVM stand, for whatever reason.", "percentunit",
					query{top(highest(rate(chosen("jvm_safepoint_seconds_total")), by...)), name}),
				lines("Time to reach safepoints", "Part of its time that a JVM waits for its slowest thread to stand.", "percentunit",
					query{top(highest(rate(chosen("jvm_safepoint_sync_seconds_total")), by...)), name}),
				lines("Threads", "Live threads.", "short", query{top(highest(chosen("jvm_threads_current"), by...)), name}),
				lines("Threads started", "Threads that start; many of short life want a pool.", "ops",
					query{top(highest(rate(chosen("jvm_threads_started_total")), by...)), name}),
				lines("Classes", "Classes that are loaded; a number that only grows is a leak.", "short",
					query{top(highest(chosen("jvm_classes_currently_loaded"), by...)), name}),
				lines("Compilation", "Part of its time that a JVM compiles.", "percentunit",
					query{top(highest(rate(chosen("jvm_compilation_time_seconds_total")), by...)), name}),
			}},
			{"Which they are", []view{
				rows("Not readable", "JVMs whose own counters can't be read, and why.",
					col("JVMs", "short", above(1, 1e9), count("("+chosen("jvm_perfdata_available")+" == 0)", "cluster", "node", "namespace", "pod", "reason")),
				).wide(12).to(linesOfRow()),
				rows("Versions", "JVMs by vendor and version.",
					col("JVMs", "short", plain(), count(chosen("jvm_runtime_info"), "cluster", "vendor", "version")),
				).wide(12),
				rows("JVMs", "Start, threads and heap of each JVM, and where its numbers come from.",
					col("Started", "dateTimeFromNow", plain(), highest(chosen("jvm_start_time_seconds"), append(by, "source")...)+" * 1000"),
					col("Threads", "short", plain(), highest(chosen("jvm_threads_current"), append(by, "source")...)),
					col("Heap used", "bytes", plain(), highest(heap("used"), append(by, "source")...)),
					col("Heap max", "bytes", plain(), highest(heap("max"), append(by, "source")...)),
					col("Counters cut off", "bytes", nonzero(), highest(chosen("jvm_perfdata_overflow_bytes"), append(by, "source")...)),
				).to(linesOfRow()),
			}},
			cost("java", `pod=~"$pod"`),
			{"Agents", []view{
				timeline("Agents", "Whether a JVM's agent gave its metrics the last time.", yesNo("answers", "silent"),
					lowest(chosen("jvm_agent_scrape_success"), append(by, "port")...), name+" {{port}}"),
				lines("Time of an agent's answer", "How long the JVM's agent took the last time.", "s",
					query{top(highest(chosen("jvm_agent_scrape_duration_seconds"), append(by, "port")...)), name + " {{port}}"}),
				lines("Answers not taken", "Answers of agents that were refused, by reason.", "ops",
					query{sum(rate(of("jvm_agent_refused_total")), "cluster", "node", "reason"), "{{node}} {{reason}}"}).wide(24),
			}},
		},
	}
}
