//! Agents: ours, loaded into a JVM that runs in namespaces of its own; ours at the start; the public one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tests::patience::until;
use tests::process::program;

use super::{
    App, INSIDE, LOG4J2, LOGBACK, Start, folder, left_over, metrics, name_label, nodetap, sample,
    turn,
};
/// As a container is: an own /tmp, an own loopback, an own process 1, and no rights.
const CONTAINER: &str = "mount -t tmpfs tmp /tmp && cp -r \"$FOLDER\" /tmp/app && ip link set lo up \
    && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

fn agent() -> String {
    folder().join("nodetap-jvm-agent.jar").display().to_string()
}

/// Messages by level that the agent counted, once it counts.
fn levels(label: &str, framework: &str, levels: &[(&str, f64)]) {
    let framework = format!("framework=\"{framework}\"");
    until("the application's messages by level", || {
        let text = metrics("jvm_agents");
        for (level, wanted) in levels {
            let level = format!("level=\"{level}\"");
            let labels = [label, "source=\"agent\"", &framework, &level];
            let found = sample(&text, "jvm_log_messages_total", &labels);
            if found.is_none_or(|found| (found - wanted).abs() > 0.1) {
                return Err(format!("{level}: {found:?}\n{text}"));
            }
        }
        Ok(())
    });
}

/// Waits until the agent counts a framework's messages.
fn counts(label: &str, framework: &str) {
    levels(label, framework, &[("error", 0.0), ("fatal", 0.0)]);
}

#[test]
fn a_jvm_in_namespaces_of_its_own_gets_the_agent_without_a_restart() {
    let _turn = turn();
    let mut app = App::start(&Start {
        options: &[],
        log: LOGBACK,
        within: Some(CONTAINER),
    });
    let row = app.ready_row();
    assert_eq!(row["counters"], "ok", "{row}");
    let pid = app.pid();
    let root = format!("/proc/{pid}/root/tmp");
    assert!(Path::new(&format!("{root}/hsperfdata_nobody/1")).exists());
    let said = nodetap(&["jvm", "attach", &pid.to_string(), "--agent", &agent()]);
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    assert_eq!(left_over(Path::new(&root)), Vec::<String>::new());
    let label = name_label(&row);
    counts(&label, "logback");
    app.ask("log");
    app.ask("log");
    // DEBUG is below what logback.xml lets through.
    let wanted = [("debug", 0.0), ("info", 2.0), ("warn", 4.0), ("error", 2.0)];
    levels(&label, "logback", &wanted);
    the_agent_wins(&label);
    // A second time changes nothing.
    let again = nodetap(&["jvm", "attach", &pid.to_string(), "--agent", &agent()]);
    assert!(again.status.success());
    app.ask("log");
    levels(&label, "logback", &[("info", 3.0)]);
}

/// `nodetap export`, ended when dropped.
struct Export {
    child: Child,
    address: String,
    _state: tempfile::TempDir,
}

// === impl Export ===

impl Export {
    fn start(configuration: &str) -> Self {
        let state = tempfile::tempdir().expect("make a directory");
        let config = state.path().join("nodetap.yaml");
        fs::write(&config, configuration).expect("write a configuration");
        let mut child = Command::new(program())
            .args(["export", "--listen", "127.0.0.1:0", "--state"])
            .arg(state.path())
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .spawn()
            .expect("start nodetap export");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let address = out.lines().find_map(|line| {
            let line = line.expect("read its output");
            let (_, address) = line.split_once("http://")?;
            address.split('/').next().map(str::to_owned)
        });
        Self {
            child,
            address: address.expect("where it listens"),
            _state: state,
        }
    }

    fn get(&self, path: &str) -> Result<String, String> {
        let said = Command::new("curl")
            .args(["--silent", "--globoff"])
            .arg(format!("http://{}{path}", self.address))
            .output()
            .map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// From the first scrape on the JVM's numbers come from its agent alone.
fn the_agent_wins(label: &str) {
    let export = Export::start("");
    let text = export
        .get("/metrics?collect[]=jvm&collect[]=jvm_agents")
        .expect("a scrape");
    let used = |source: &str| {
        let labels = [label, "area=\"heap\"", source];
        sample(&text, "jvm_memory_used_bytes", &labels)
    };
    assert!(used("source=\"agent\"").is_some(), "{text}");
    assert_eq!(used("source=\"hsperfdata\""), None, "{text}");
}

#[test]
fn agents_are_listed_for_prometheus_instead_where_it_reaches_them() {
    let _turn = turn();
    // An address of a pod; the loopback's device takes any.
    let within = CONTAINER.replace("set lo up", "set lo up && ip addr add 192.0.2.7/32 dev lo");
    let option = format!("-javaagent:{INSIDE}/nodetap-jvm-agent.jar=port=9404,host=0.0.0.0");
    let app = App::start(&Start {
        options: &[&option],
        log: LOGBACK,
        within: Some(&within),
    });
    let label = name_label(&app.ready_row());
    let export = Export::start("export: {jvm_discovery: true}\n");
    let listed = until("the agent in the list", || {
        let text = export.get("/sd/jvm")?;
        let list: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let found = list.as_array().and_then(|agents| {
            let is_ours = |agent: &&Value| agent["targets"][0] == "192.0.2.7:9404";
            agents.iter().find(is_ours).cloned()
        });
        found.ok_or(text)
    });
    let name = listed["labels"]["jvm"].as_str().expect("a name");
    assert_eq!(label, format!("jvm=\"{name}\""), "{listed}");
    assert_eq!(listed["labels"]["source"], "agent", "{listed}");
    let text = export.get("/metrics").expect("a scrape");
    let of_jvm = [label.as_str()];
    assert_eq!(
        sample(&text, "jvm_memory_used_bytes", &[&label, "area=\"heap\""]),
        None,
        "Prometheus has it from the agent:\n{text}"
    );
    assert!(
        sample(&text, "jvm_perfdata_available", &of_jvm).is_some(),
        "{text}"
    );
}

#[test]
fn the_agent_of_the_command_line_counts_log4j2s_levels() {
    let _turn = turn();
    let directory = tempfile::tempdir().expect("make a directory");
    let rules = directory.path().join("rules");
    fs::write(
        &rules,
        "# MBeans of the JVM itself, which every application has\n\
         gauge jvm_bean_buffer_count java.nio:type=BufferPool,name=* Count\n\
         counter jvm_bean_loaded_total java.lang:type=ClassLoading TotalLoadedClassCount\n",
    )
    .expect("write the rules");
    let option = format!("-javaagent:{}=port=0,rules={}", agent(), rules.display());
    let mut app = App::start(&Start {
        options: &[&option],
        log: LOG4J2,
        within: None,
    });
    let label = name_label(&app.ready_row());
    counts(&label, "log4j2");
    app.ask("log");
    // What Jetty says at its start is INFO, and may have been counted.
    levels(&label, "log4j2", &[("warn", 2.0), ("error", 1.0)]);
    let text = metrics("jvm_agents");
    let direct = sample(&text, "jvm_bean_buffer_count", &[&label, "name=\"direct\""]);
    assert!(direct.is_some(), "{text}");
    let loaded = sample(&text, "jvm_bean_loaded_total", &[&label]);
    assert!(loaded.is_some_and(|loaded| loaded > 500.0), "{text}");
}

#[test]
fn the_public_jmx_exporter_is_relayed() {
    let _turn = turn();
    // A network namespace of its own has every port free.
    let port = 9404;
    for jar in [
        "jmx_prometheus_javaagent",
        "jmx_prometheus_javaagent-0.20.0",
    ] {
        let option =
            format!("-javaagent:{INSIDE}/lib/{jar}.jar=127.0.0.1:{port}:{INSIDE}/classes/jmx.yaml");
        let app = App::start(&Start {
            options: &[&option],
            log: LOGBACK,
            within: Some(CONTAINER),
        });
        let label = name_label(&app.ready_row());
        // The very first scrape: the agent has taken the counters' place already.
        let text = metrics("j*");
        let at = format!("port=\"{port}\"");
        let success = sample(&text, "jvm_agent_scrape_success", &[&label, &at]);
        assert_eq!(success.map(|value| value > 0.0), Some(true), "{text}");
        let own = sample(&text, "jmx_scrape_error", &[&label, "source=\"agent\""]);
        assert_eq!(own.map(|value| value > 0.0), Some(false), "{text}");
        // The older one calls it jvm_memory_bytes_used.
        let used = sample(&text, "jvm_memory_used_bytes", &[&label, "area=\"heap\""]);
        assert!(used.is_some_and(|used| used > 0.0), "{text}");
        assert!(!text.contains("jvm_memory_bytes_used"), "{text}");
    }
}

/// As a container with a read-only root is.
const READ_ONLY: &str = "mount -t tmpfs tmp /tmp && cp -r \"$FOLDER\" /tmp/app && mount -o remount,ro /tmp \
    && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
/// As a user whom the image does not know.
const UNKNOWN: &str = "mount -t tmpfs tmp /tmp && cp -r \"$FOLDER\" /tmp/app \
    && exec setpriv --reuid 54321 --regid 54321 --clear-groups \"$@\"";

#[test]
fn a_container_that_has_no_place_for_files_says_so() {
    let _turn = turn();
    for (within, reason, refusal) in [
        (READ_ONLY, "no_tmp", Some("writable /tmp")),
        (UNKNOWN, "no_passwd_entry", None),
    ] {
        let mut app = App::start(&Start {
            options: &[],
            log: LOGBACK,
            within: Some(within),
        });
        let pid = app.pid().to_string();
        until("a reason", || {
            let row = app.row();
            let is_found = row["counters"] == reason;
            is_found.then_some(()).ok_or_else(|| row.to_string())
        });
        let said = nodetap(&["jvm", "attach", &pid, "--agent", &agent()]);
        let error = String::from_utf8_lossy(&said.stderr).into_owned();
        match refusal {
            Some(why) => assert!(!said.status.success() && error.contains(why), "{error}"),
            None => assert!(said.status.success(), "{error}"),
        }
        assert!(!app.ask("jmx").is_empty(), "it lives");
    }
}

#[test]
fn a_jvm_that_would_die_of_the_question_is_not_asked() {
    let _turn = turn();
    for (option, why) in [
        ("-Xrs", "does not catch SIGQUIT"),
        ("-XX:+DisableAttachMechanism", "DisableAttachMechanism"),
    ] {
        let mut app = App::start(&Start {
            options: &[option],
            log: LOGBACK,
            within: None,
        });
        let pid = app.pid().to_string();
        let said = nodetap(&["jvm", "attach", &pid, "--agent", &agent()]);
        assert_eq!(said.status.code(), Some(1));
        let error = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(error.contains(why), "{error}");
        assert!(!app.ask("jmx").is_empty(), "it lives");
    }
}
