//! How was a JVM started? What of its command line and environment decides how it can be read.
//!
//! Command lines carry passwords: nothing of them leaves this module but flags, ports and the main class.

/// The longest name of a program that becomes a label, in letters.
const NAME_LETTERS_MAX: usize = 100;

/// The variables that a JVM and its launcher read options from.
const VARIABLES: [&str; 3] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];

/// Options of the launcher whose value is the next word.
const WITH_VALUE: [&str; 13] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-opens",
    "--add-exports",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
];

/// Jars that serve Prometheus' format where their options say.
const JMX_EXPORTER: &str = "jmx_prometheus_javaagent";
const OUR_AGENT: &str = "nodetap-jvm-agent";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-XX:-UsePerfData`
    pub without_perf_data: bool,
    /// `-XX:+PerfDisableSharedMem`
    pub without_shared_memory: bool,
    /// `-XX:+DisableAttachMechanism`
    pub without_attach: bool,
    /// The main class, or the base name of the jar.
    pub program: Option<String>,
    /// Agents that serve metrics.
    pub agents: Vec<Endpoint>,
}

/// Where an agent serves metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address it listens on, if one is given.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
}

// === impl Options ===

impl Options {
    /// Reads `/proc/<pid>/cmdline` and `/proc/<pid>/environ`.
    pub fn read(command_line: &[u8], environment: &[u8]) -> Self {
        let mut options = Self::default();
        let variables = words(environment).filter_map(|variable| {
            let (name, value) = variable.split_once('=')?;
            VARIABLES.contains(&name).then(|| value.to_owned())
        });
        for variable in variables.collect::<Vec<_>>() {
            for option in variable.split_ascii_whitespace() {
                options.take(option);
            }
        }
        let mut rest = words(command_line).skip(1);
        while let Some(word) = rest.next() {
            if matches!(word.as_str(), "-jar" | "-m" | "--module") {
                options.program = rest.next().as_deref().and_then(program);
                break;
            } else if WITH_VALUE.contains(&word.as_str()) {
                rest.next();
            } else if word.starts_with('-') {
                options.take(&word);
            } else if !word.starts_with('@') {
                options.program = program(&word);
                break;
            }
        }
        options
    }

    /// Takes one option; the last of its kind counts.
    fn take(&mut self, option: &str) {
        match option {
            "-XX:-UsePerfData" => self.without_perf_data = true,
            "-XX:+UsePerfData" => self.without_perf_data = false,
            "-XX:+PerfDisableSharedMem" => self.without_shared_memory = true,
            "-XX:-PerfDisableSharedMem" => self.without_shared_memory = false,
            "-XX:+DisableAttachMechanism" => self.without_attach = true,
            "-XX:-DisableAttachMechanism" => self.without_attach = false,
            _ => {
                let agent = option.strip_prefix("-javaagent:").and_then(endpoint);
                self.agents.extend(agent);
            }
        }
    }
}

/// The words of a file of `/proc` that ends each with NUL.
fn words(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
}

/// The name of a program that was started as `app.Main …`, `/srv/app.jar …` or `module/app.Main …`.
pub fn program(command: &str) -> Option<String> {
    let first = command.split_ascii_whitespace().next()?;
    let name = first.rsplit('/').next().unwrap_or(first);
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(NAME_LETTERS_MAX)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// Where an agent listens: `PATH=[HOST:]PORT:CONFIG` of `jmx_exporter`, `PATH=port=PORT,host=HOST` of ours.
fn endpoint(agent: &str) -> Option<Endpoint> {
    let (path, options) = agent.split_once('=')?;
    let jar = path.rsplit('/').next().unwrap_or(path);
    if jar.contains(OUR_AGENT) {
        let value = |name: &str| {
            options
                .split(',')
                .filter_map(|option| option.split_once('='))
                .find_map(|(known, value)| (known.trim() == name).then(|| value.trim()))
        };
        // Port 0 is a free one; the agent writes down which.
        let port = value("port")?.parse().ok().filter(|port| *port != 0)?;
        let host = value("host").map(str::to_owned);
        return Some(Endpoint { host, port });
    }
    if !jar.contains(JMX_EXPORTER) {
        return None;
    }
    let (host, rest) = match options.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once("]:")?;
            (Some(host), rest)
        }
        None if options.starts_with(|letter: char| letter.is_ascii_digit())
            && port_of(options).is_some() =>
        {
            (None, options)
        }
        None => {
            let (host, rest) = options.split_once(':')?;
            (Some(host), rest)
        }
    };
    Some(Endpoint {
        host: host.map(str::to_owned),
        port: port_of(rest)?,
    })
}

/// The port before the first colon, or all there is.
fn port_of(text: &str) -> Option<u16> {
    let port = text.split(':').next()?;
    port.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], environment: &[&str]) -> Options {
        Options::read(
            words.join("\0").as_bytes(),
            environment.join("\0").as_bytes(),
        )
    }

    fn at(host: Option<&str>, port: u16) -> Endpoint {
        Endpoint {
            host: host.map(str::to_owned),
            port,
        }
    }

    #[test]
    fn the_program_without_its_arguments() {
        let name = |words: &[&str]| read(words, &[]).program;
        for (words, wanted) in [
            (
                &["java", "-Xmx1g", "-cp", "a:b", "app.Main", "--password=x"][..],
                "app.Main",
            ),
            (&["java", "-jar", "/srv/shop.jar", "secret"], "shop.jar"),
            (&["java", "@args", "-m", "shop/app.Main"], "app.Main"),
            (&["java", "--add-opens", "a/b=ALL-UNNAMED", "M"], "M"),
        ] {
            assert_eq!(name(words).as_deref(), Some(wanted), "{words:?}");
        }
        assert_eq!(name(&["java", "-version"]), None);
        assert_eq!(name(&[]), None);
        assert_eq!(
            program("/opt/a.jar --token=1").as_deref(),
            Some("a.jar"),
            "as sun.rt.javaCommand has it"
        );
        assert_eq!(program(&"x".repeat(5000)).unwrap().len(), NAME_LETTERS_MAX);
    }

    #[test]
    fn flags_of_the_command_line_come_after_those_of_the_environment() {
        let options = read(
            &[
                "java",
                "-XX:+UsePerfData",
                "M",
                "-XX:+DisableAttachMechanism",
            ],
            &[
                "PATH=/bin",
                "JAVA_TOOL_OPTIONS=-XX:-UsePerfData  -XX:+PerfDisableSharedMem",
            ],
        );
        assert!(!options.without_perf_data);
        assert!(options.without_shared_memory);
        assert!(!options.without_attach, "an argument of the program");
    }

    #[test]
    fn where_agents_listen() {
        let agents = |option: &str| read(&["java", option, "M"], &[]).agents;
        for (option, wanted) in [
            (
                "jmx_prometheus_javaagent-1.0.1.jar=9404:c.yaml",
                at(None, 9404),
            ),
            (
                "/a/jmx_prometheus_javaagent.jar=127.0.0.1:9404:/c.yaml",
                at(Some("127.0.0.1"), 9404),
            ),
            (
                "jmx_prometheus_javaagent.jar=[::1]:9404:c.yaml",
                at(Some("::1"), 9404),
            ),
            (
                "jmx_prometheus_javaagent.jar=localhost:9404:c.yaml",
                at(Some("localhost"), 9404),
            ),
            (
                "/o/nodetap-jvm-agent.jar=port=9405,host=::",
                at(Some("::"), 9405),
            ),
        ] {
            assert_eq!(
                agents(&format!("-javaagent:{option}")),
                [wanted],
                "{option}"
            );
        }
        for option in [
            "other.jar=9404:c.yaml",
            "jmx_prometheus_javaagent.jar",
            "jmx_prometheus_javaagent.jar=70000:c",
            "jmx_prometheus_javaagent.jar=0:c",
            "jmx_prometheus_javaagent.jar=[::1",
            "nodetap-jvm-agent.jar=port=0",
            "=",
        ] {
            assert_eq!(agents(&format!("-javaagent:{option}")), [], "{option}");
        }
    }
}
