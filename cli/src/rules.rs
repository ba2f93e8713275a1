//! `nodetap rules`: which alerts there are, their files for Prometheus and Alertmanager, and their tests.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use alertrules::files::TESTS;
use alertrules::render::{Format, render};
use alertrules::rules::{Optional, RuleFile, rules};
use alertrules::runbook;
use alertrules::values::Values;
use anyhow::{Context, anyhow};
use serde_json::json;

use crate::args::{RulesAction, RulesChoice, RulesFormat, RulesTest};
use crate::failure::WrongUse;
use crate::table::Table;

/// Far more than any list of values needs, in bytes.
const VALUES_BYTES_MAX: u64 = 1 << 20;

/// Does what is asked for with the rules that the binary carries.
pub(crate) fn run(args: &crate::args::Rules) -> anyhow::Result<ExitCode> {
    match &args.action {
        RulesAction::List(args) => list(args.json),
        RulesAction::Render(args) => {
            let format = match args.format {
                RulesFormat::Prometheus => Format::Prometheus,
                RulesFormat::Prometheusrule => Format::PrometheusRule,
                RulesFormat::Alertmanager => Format::Alertmanager,
                RulesFormat::Json => Format::Json,
            };
            let (values, optional) = choice(&args.choice)?;
            let written = write(format, &values, &optional, &args.output)
                .map_err(|error| said_of(&args.choice, error))?;
            let mut out = io::stdout().lock();
            for path in written {
                writeln!(out, "{}", path.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        RulesAction::Test(args) => test(args),
    }
}

fn list(json: bool) -> anyhow::Result<ExitCode> {
    let files = rules(&Values::built_in()?, &Optional::All)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut table = Table::new(&["ALERT", "SEVERITY", "RULES", "WHAT IT SAYS"]);
    for (file, alert) in files.iter().flat_map(each_alert) {
        let about = runbook::one_line(&alert.name).unwrap_or_default();
        if json {
            let object = json!({
                "alert": alert.name,
                "severity": alert.severity(),
                "rules": file.name,
                "optional": file.name.ends_with("-optional"),
                "about": about,
                "expr": alert.expr,
                "for": alert.hold,
                "keep_firing_for": alert.keep,
            });
            writeln!(out, "{object}")?;
        } else {
            let cells = [&alert.name, alert.severity(), &file.name, about];
            table.row(&cells.map(ToOwned::to_owned));
        }
    }
    if !json {
        table.write(&mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn each_alert(file: &RuleFile) -> impl Iterator<Item = (&RuleFile, &alertrules::rules::Alert)> {
    file.alerts().map(move |alert| (file, alert))
}

fn choice(args: &RulesChoice) -> anyhow::Result<(Values, Optional)> {
    let values = match &args.values {
        Some(path) => {
            let size = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
            if size.len() > VALUES_BYTES_MAX {
                return Err(anyhow!("{} is larger than 1 MiB", path.display()));
            }
            let text =
                fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
            Values::read(&text).map_err(|problems| said_of(args, problems.into()))?
        }
        None => Values::built_in()?,
    };
    let optional = match args.optional.as_slice() {
        [] => Optional::None,
        topics if topics.iter().any(|topic| topic == "all") => Optional::All,
        topics => Optional::Of(topics.to_vec()),
    };
    Ok((values, optional))
}

/// Problems of a file of values are the user's, and begin with the file's name.
fn said_of(args: &RulesChoice, error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<yaml::problem::Problems>() {
        Ok(problems) => {
            let file = args.values.as_ref();
            let place = file.map_or(String::new(), |file| format!("{}: ", file.display()));
            WrongUse::new(format!("{place}{problems}")).into()
        }
        Err(error) => error,
    }
}

fn write(
    format: Format,
    values: &Values,
    optional: &Optional,
    folder: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let files = render(format, values, optional)?;
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let mut written = Vec::new();
    for file in files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.text).with_context(|| format!("write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

/// Runs the tests on the defaults, then checks what a place would load.
fn test(args: &RulesTest) -> anyhow::Result<ExitCode> {
    let (values, optional) = choice(&args.choice)?;
    let folder = Folder::make()?;
    let mut rendered = Vec::new();
    for file in rules(&Values::built_in()?, &Optional::All)? {
        let name = match file.name.strip_suffix("-optional") {
            Some(topic) => format!("optional/{topic}.rules.yml"),
            None => format!("{}.rules.yml", file.name),
        };
        rendered.push(folder.write(&name, &yaml::emit::block(&file.tree()))?);
    }
    let mut out = io::stdout().lock();
    let mut failed = 0;
    let mut told = |what: &str, (well, said): (bool, String)| -> io::Result<()> {
        writeln!(out, "{}  {what}", if well { "ok    " } else { "FAILED" })?;
        if !well {
            failed += 1;
            writeln!(out, "{}", said.trim_end())?;
        }
        Ok(())
    };
    told(
        "promtool check rules: the defaults",
        promtool(args, &["check", "rules"], &rendered)?,
    )?;
    for test in TESTS {
        let path = folder.write(test.path, test.text)?;
        told(test.path, promtool(args, &["test", "rules"], &[path])?)?;
    }
    if args.choice.values.is_some() {
        let place = folder.0.join("place");
        let rendered = write(Format::Prometheus, &values, &optional, &place)
            .map_err(|error| said_of(&args.choice, error))?;
        told(
            "promtool check rules: with the given values",
            promtool(args, &["check", "rules"], &rendered)?,
        )?;
    }
    match failed {
        0 => Ok(ExitCode::SUCCESS),
        count => Err(anyhow!("{count} of the checks failed")),
    }
}

/// Whether promtool is content, and what it said.
fn promtool(args: &RulesTest, words: &[&str], files: &[PathBuf]) -> anyhow::Result<(bool, String)> {
    let files = files.iter().map(|file| file.as_os_str());
    let all = words.iter().map(OsStr::new).chain(files);
    match Command::new(&args.promtool).args(all).output() {
        Ok(output) => {
            let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
            said.push_str(&String::from_utf8_lossy(&output.stderr));
            Ok((output.status.success(), said))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(anyhow!(
            "no {}: it comes with Prometheus (Debian: apt-get install prometheus), 2.42 or later; \
             --promtool PATH names another",
            args.promtool.display()
        )),
        Err(error) => Err(error).with_context(|| format!("start {}", args.promtool.display())),
    }
}

/// A folder of our own that goes when it is not needed any more.
struct Folder(PathBuf);

// === impl Folder ===

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let name = format!("nodetap-rules-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails where somebody else has made it, so that nothing is written through a link of theirs.
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        let made = Self(path);
        let optional = made.0.join("optional");
        fs::create_dir(&optional).with_context(|| format!("make {}", optional.display()))?;
        Ok(made)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests;
