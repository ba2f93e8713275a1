//! `nodetap config`: what holds for each key and where that is from, and the schema of the file.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::{ConfigAction, ConfigArgs};
use crate::config::keys::{Key, Kind, SECTIONS};
use crate::config::schema;
use crate::place::Place;

/// Prints one of the two.
pub(crate) fn run(place: &Place, args: ConfigArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.action {
        ConfigAction::Schema => out.write_all(schema::text().as_bytes())?,
        ConfigAction::Show => show(place, &mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// YAML that says the same as what is in force; secrets are left out.
fn show(place: &Place, out: &mut impl Write) -> io::Result<()> {
    for section in SECTIONS {
        let indent = match section.name {
            "" => "",
            name => {
                writeln!(out, "{name}:")?;
                "  "
            }
        };
        for key in section.keys {
            writeln!(out, "{indent}{}", line(place, key))?;
        }
    }
    Ok(())
}

fn line(place: &Place, key: &Key) -> String {
    let leaf = key.leaf();
    let urls = &place.config.elasticsearch.settings.urls;
    if key.path == "elasticsearch.urls" && place.has_urls_of_its_own {
        return format!("{leaf}: [{}]  # of the command line", urls.join(", "));
    }
    let written = place.config.written.value(key.path);
    match (written, key.kind) {
        (Some(_), Kind::Secret) => format!("# {leaf}: …  (set, and not shown)"),
        (Some(text), _) => format!("{leaf}: {text}"),
        (None, _) if key.default_is_written() => format!("{leaf}: {}  # by default", key.default),
        (None, _) => format!("# {leaf}: …  ({})", key.default),
    }
}
