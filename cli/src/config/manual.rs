//! What does the manual say about the configuration? docs/configuration.md, written from the table of keys.

use std::fmt::Write;

use super::keys::{Key, SECTIONS, Section};

const HEAD: &str = "\
# Configuration

One YAML file, given with `--config FILE`. Every key is optional, and an empty file is a right one.
Unknown keys are refused; all mistakes are reported at once, each with its line.
`nodetap check --config FILE` reads the file and says what is wrong with it and with the machine; `nodetap config show` prints
what holds for each key and where that is from; `nodetap config schema` prints a JSON Schema for editors.

SIGHUP has a running nodetap read the file again. Positions and lines that wait for their end stay, and secrets in files are read
anew. A file that is wrong changes nothing: the log says what and where, and `nodetap_config_last_reload_successful` is 0.
Keys that take effect with the next start only are named in the log, on the page and by `nodetap sources`.

Sizes are written with a unit (`64 KiB`, `1 GB`; KiB is 1024 bytes, KB is 1000), durations too (`5s`, `1h 30m`, `7 days`).
Paths and globs are read below `--root`. In a path `*` stays within one directory; `**` crosses directories.
A flag of the command line goes before the file.

`${NAME}` in any value is replaced by that variable of the environment before the value is read; one that is not set is a mistake, and `${NAME:-text}` has a text for that case.
`$$` is one `$`; any other `$` is itself. What a variable holds is one value: it can't bring further keys.
A secret is best kept in a file of its own (`password_file`, `api_key_file`).

";

/// The whole of docs/configuration.md.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    out.push_str("An example with every key at its default is at the end.\n");
    for section in SECTIONS {
        group(&mut out, section);
    }
    out.push_str("\n## Every key at its default\n\n```yaml\n");
    out.push_str(&example());
    out.push_str("```\n");
    out
}

/// A configuration that sets every key to its default; keys whose default depends on the machine are comments.
pub fn example() -> String {
    let mut out = String::new();
    for section in SECTIONS {
        let indent = match section.name {
            "" => "",
            name => {
                writeln!(out, "{name}:").unwrap_or_default();
                "  "
            }
        };
        for key in section.keys {
            let (leaf, default) = (key.leaf(), key.default);
            let line = if key.default_is_written() {
                format!("{leaf}: {default}")
            } else {
                format!("# {leaf}: …  ({default})")
            };
            writeln!(out, "{indent}{line}").unwrap_or_default();
        }
    }
    out
}

fn group(out: &mut String, section: &Section) {
    match section.name {
        "" => out.push_str("\n## At the top\n\n"),
        name => writeln!(out, "\n## `{name}`\n\n{}\n", section.about).unwrap_or_default(),
    }
    for (index, key) in section.keys.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        let Key {
            path,
            default,
            effect,
            edges,
            who,
            live,
            ..
        } = key;
        let when = if *live {
            "with SIGHUP"
        } else {
            "with the next start"
        };
        let default = if default.contains(' ')
            && !default.starts_with(|c: char| c.is_ascii_digit() || c == '[')
        {
            (*default).to_owned()
        } else if *default == "nothing" {
            "nothing".to_owned()
        } else {
            format!("`{default}`")
        };
        writeln!(
            out,
            "{gap}### `{path}`\n\n{effect}\n\n- Default: {default}\n- Edge values: {edges}\n- Who should change it: {who}\n- A change takes effect: {when}"
        )
        .unwrap_or_default();
    }
}
