//! Runs one collector against the sink and prints what it cost and lost as one line of JSON.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use bench::meter::{self, Plan};
use clap::Args;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The collector's command, its words separated by blanks
    #[arg(long, value_name = "COMMAND")]
    cmd: String,
    /// The sink's admin address
    #[arg(long, default_value = "127.0.0.1:19201")]
    admin: String,
    /// The sink's process id, so that its share of the machine is known
    #[arg(long)]
    sink_pid: Option<u32>,
    /// Records that were written beforehand
    #[arg(long, default_value_t = 0)]
    expect: u64,
    /// The generator's command, started once the expected records have arrived
    #[arg(long = "gen", value_name = "COMMAND")]
    generator: Option<String>,
    /// Seconds between the arrival of the expected records and the measured window
    #[arg(long, default_value = "3", value_parser = seconds)]
    settle: Duration,
    /// Without a generator: seconds to measure after the expected records have arrived
    #[arg(long, default_value = "0", value_parser = seconds)]
    window: Duration,
    /// Kill the collector after so many seconds, from the start of the generator or of the collector
    #[arg(long, value_delimiter = ',', value_parser = seconds)]
    kill_at: Vec<Duration>,
    /// Kill the collector once this share of the expected records has arrived
    #[arg(long)]
    kill_frac: Option<f64>,
    /// Seconds before a collector that ended is started again
    #[arg(long, default_value = "1", value_parser = seconds)]
    restart_after: Duration,
    /// The sink goes down after so many seconds
    #[arg(long, value_parser = seconds)]
    down_at: Option<Duration>,
    /// For so many seconds
    #[arg(long, default_value = "20", value_parser = seconds)]
    down_for: Duration,
    /// Give up when nothing new has arrived for so many seconds
    #[arg(long, default_value = "30", value_parser = seconds)]
    stall: Duration,
    /// Seconds to wait for late copies after the last record
    #[arg(long, default_value = "3", value_parser = seconds)]
    linger: Duration,
    /// Give up after so many seconds in any case
    #[arg(long, default_value = "900", value_parser = seconds)]
    max: Duration,
    /// Where the collector's output goes
    #[arg(long, default_value = "/dev/null")]
    log: PathBuf,
    /// The name of the run in the result
    #[arg(long, default_value = "")]
    label: String,
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let plan = Plan {
        label: arguments.label,
        command: words(&arguments.cmd),
        log: arguments.log,
        admin: arguments.admin,
        sink: arguments.sink_pid,
        expected: arguments.expect,
        generator: arguments.generator.as_deref().map(words),
        settle: arguments.settle,
        window: arguments.window,
        kills: arguments.kill_at,
        kill_share: arguments.kill_frac,
        restart_after: arguments.restart_after,
        outage: arguments.down_at.map(|at| (at, arguments.down_for)),
        stall: arguments.stall,
        linger: arguments.linger,
        longest: arguments.max,
    };
    writeln!(io::stdout(), "{}", meter::run(&plan)?)?;
    Ok(())
}
