//! What the counters of each collector say, beside what JMX says before and after.

use super::{App, LOGBACK, Start, metrics, name_label, nodetap, sample, turn};

/// What JMX says.
#[derive(Debug, Default)]
struct Jmx {
    /// Name, collections, milliseconds.
    collections: Vec<(String, f64, f64)>,
    /// Name, whether it is heap, committed, most.
    pools: Vec<(String, bool, f64, f64)>,
    /// Names of ours, and values.
    numbers: Vec<(String, f64)>,
}

fn jmx(app: &mut App) -> Jmx {
    let mut jmx = Jmx::default();
    for line in app.ask("jmx") {
        let words: Vec<&str> = line.split('|').collect();
        let number = |at: usize| words[at].parse::<f64>().expect("a number");
        match words[0] {
            "gc" => {
                let collection = (words[1].to_owned(), number(2), number(3));
                jmx.collections.push(collection);
            }
            "pool" => {
                let is_heap = words[2] == "heap";
                let pool = (words[1].to_owned(), is_heap, number(4), number(5));
                jmx.pools.push(pool);
            }
            "number" => jmx.numbers.push((words[1].to_owned(), number(2))),
            other => panic!("an unknown line {other}"),
        }
    }
    jmx
}

/// Names of beans that have no counters of their own; Shenandoah counts phases, which no bean does.
const WITHOUT_COUNTERS: &[&str] = &["ZGC Cycles", "Shenandoah Cycles", "Shenandoah Pauses"];

fn compare(option: &str) {
    let mut app = App::start(&Start {
        options: &[option],
        log: LOGBACK,
        within: None,
    });
    app.ask("garbage");
    let row = app.ready_row();
    assert_eq!(row["counters"], "ok", "{row}");
    let label = name_label(&row);
    // Asked once, JMX has loaded its classes.
    jmx(&mut app);
    let before = jmx(&mut app);
    let text = metrics("jvm");
    let after = jmx(&mut app);
    let of = |family: &str, more: &[&str]| {
        let labels: Vec<&str> = [&[label.as_str()][..], more].concat();
        sample(&text, family, &labels)
    };
    for ((name, least, millis), (_, most, millis_after)) in
        before.collections.iter().zip(&after.collections)
    {
        if WITHOUT_COUNTERS.contains(&name.as_str()) {
            continue;
        }
        let gc = format!("gc=\"{name}\"");
        let count = of("jvm_gc_collection_seconds_count", &[&gc]);
        let count = count.unwrap_or_else(|| panic!("{option}: no {name} in\n{text}"));
        assert!(
            (*least..=*most).contains(&count),
            "{option}: {name} {least} {count} {most}"
        );
        let sum = of("jvm_gc_collection_seconds_sum", &[&gc]).expect("a sum") * 1000.0;
        // Beans count whole milliseconds for each pause.
        assert!(
            sum > millis - 1.0 && sum < millis_after + 1.0 + 1.0 * most,
            "{option}: {name} {millis} {sum} {millis_after}"
        );
    }
    for (name, is_heap, committed, _) in &before.pools {
        if !is_heap {
            continue;
        }
        let pool = format!("pool=\"{name}\"");
        let ours = of("jvm_memory_pool_committed_bytes", &[&pool]);
        let ours = ours.unwrap_or_else(|| panic!("{option}: no {name} in\n{text}"));
        assert!(
            (ours - committed).abs() < 1.0,
            "{option}: {name} {ours} {committed}"
        );
    }
    for ((name, one), (_, two)) in before.numbers.iter().zip(&after.numbers) {
        let ours = match name.as_str() {
            "jvm_memory_max_bytes" => of(name, &["area=\"heap\""]),
            _ => of(name, &[]),
        };
        let ours = ours.unwrap_or_else(|| panic!("{option}: no {name} in\n{text}"));
        // The JVM begins before its first Java code; the counters know a few classes that JMX doesn't.
        let slack = match name.as_str() {
            "jvm_start_time_seconds" => 5.0,
            _ if name.contains("classes") => 50.0,
            _ => 0.0,
        };
        assert!(
            ours >= one.min(*two) - slack && ours <= one.max(*two) + slack,
            "{option}: {name} {one} {ours} {two}"
        );
    }
}

#[test]
fn every_collector_is_read_as_jmx_reads_it() {
    let _turn = turn();
    for option in [
        "-XX:+UseSerialGC",
        "-XX:+UseParallelGC",
        "-XX:+UseG1GC",
        "-XX:+UseZGC",
        "-XX:+UseShenandoahGC",
    ] {
        compare(option);
    }
}

#[test]
fn a_jvm_without_counters_says_why() {
    let _turn = turn();
    for (option, reason) in [
        ("-XX:-UsePerfData", "disabled_flag"),
        ("-XX:+PerfDisableSharedMem", "shared_mem_disabled"),
    ] {
        let app = App::start(&Start {
            options: &[option],
            log: LOGBACK,
            within: None,
        });
        let row = app.ready_row();
        assert_eq!(row["counters"], reason, "{row}");
        let text = metrics("jvm");
        let labels = [name_label(&row), format!("reason=\"{reason}\"")];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let found = sample(&text, "jvm_perfdata_available", &labels);
        assert_eq!(found.map(|value| value > 0.0), Some(false), "{text}");
        let said = nodetap(&["jvm", "list"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.contains(&format!("{reason}: started with {option}")),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
}
