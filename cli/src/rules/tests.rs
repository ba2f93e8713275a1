//! Do the commands that runbooks name work?

use alertrules::runbook::RUNBOOKS;
use clap::Parser;

use crate::args::{Cli, Command};

/// What a person would type: from `nodetap` to the pipe or the end of the code, placeholders filled in.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace('\n', " ");
    let spans = joined.split('`').skip(1).step_by(2);
    spans
        .filter(|span| span.starts_with("nodetap "))
        .map(|span| span.split(" | ").next().unwrap_or(span))
        .map(|span| span.split(" > ").next().unwrap_or(span))
        .map(filled)
        .collect()
}

fn filled(command: &str) -> String {
    let mut out = String::new();
    let mut rest = command;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        out.push_str("some");
        rest = after.split_once('>').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// Words as a shell takes them, single quotes considered.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for char in command.chars() {
        match char {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(char),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_commands_of_runbooks_work() {
    let mut seen = 0;
    for runbook in RUNBOOKS {
        for command in commands(runbook.text) {
            seen += 1;
            let place = format!("{}: {command}", runbook.alert);
            let cli = Cli::try_parse_from(words(&command))
                .unwrap_or_else(|error| panic!("{place}\n{error}"));
            if let Command::Logs(logs) = &cli.command
                && let Some(text) = &logs.query
            {
                query::parse(text).unwrap_or_else(|error| panic!("{place}\n{error}"));
            }
        }
    }
    assert!(seen > 100, "only {seen} commands were found");
}
