//! How far from the promise is it? Measured values beside their targets, as JSON for programs and a table for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// What was promised of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Nothing: the value explains others.
    None,
}

/// One value of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// What was measured, in words.
    pub what: &'static str,
    /// How much it is.
    pub value: f64,
    /// Of what; empty for a plain ratio.
    pub unit: &'static str,
    /// What was promised.
    pub target: Target,
}

/// What one scenario found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The scenario's name on the command line.
    pub scenario: &'static str,
    /// The values, the promised ones first.
    pub measures: Vec<Measure>,
    /// What else a reader of the numbers needs to know: sizes, counts.
    pub facts: Map<String, Value>,
}

impl Measure {
    /// Whether the promise is kept; `None` when nothing was promised.
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(bound) => Some(self.value <= bound),
            Target::AtLeast(bound) => Some(self.value >= bound),
            Target::None => None,
        }
    }

    /// The value as a multiple of its target.
    pub fn ratio(&self) -> Option<f64> {
        match self.target {
            Target::AtMost(bound) | Target::AtLeast(bound) if bound > 0.0 => {
                Some(self.value / bound)
            }
            Target::AtMost(_) | Target::AtLeast(_) | Target::None => None,
        }
    }
}

impl Outcome {
    /// An empty outcome of `scenario`.
    pub fn new(scenario: &'static str) -> Self {
        Self {
            scenario,
            ..Self::default()
        }
    }

    /// Adds a value.
    pub fn measure(&mut self, what: &'static str, value: f64, unit: &'static str, target: Target) {
        self.measures.push(Measure {
            what,
            value,
            unit,
            target,
        });
    }

    /// Adds a fact.
    pub fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// One object with everything.
    pub fn json(&self) -> Value {
        let measures: Vec<Value> = self
            .measures
            .iter()
            .map(|measure| {
                let bound = match measure.target {
                    Target::AtMost(bound) => json!({"at_most": bound}),
                    Target::AtLeast(bound) => json!({"at_least": bound}),
                    Target::None => Value::Null,
                };
                json!({
                    "what": measure.what, "value": measure.value, "unit": measure.unit,
                    "target": bound, "ratio": measure.ratio(), "met": measure.is_met(),
                })
            })
            .collect();
        json!({"scenario": self.scenario, "measures": measures, "facts": self.facts})
    }
}

/// A Markdown table of all values.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut table = String::from(
        "| scenario | measured | value | target | value / target | |\n|---|---|---:|---:|---:|---|\n",
    );
    for outcome in outcomes {
        for measure in &outcome.measures {
            let target = match measure.target {
                Target::AtMost(bound) => format!("≤ {}", amount(bound, measure.unit)),
                Target::AtLeast(bound) => format!("≥ {}", amount(bound, measure.unit)),
                Target::None => String::new(),
            };
            let ratio = measure
                .ratio()
                .map(|ratio| format!("{ratio:.2}"))
                .unwrap_or_default();
            let verdict = match measure.is_met() {
                Some(true) => "met",
                Some(false) => "**not met**",
                None => "",
            };
            let value = amount(measure.value, measure.unit);
            let written = writeln!(
                table,
                "| {} | {} | {value} | {target} | {ratio} | {verdict} |",
                outcome.scenario, measure.what
            );
            debug_assert!(written.is_ok(), "a string takes everything");
        }
    }
    table
}

/// A value with three significant digits and its unit.
fn amount(value: f64, unit: &str) -> String {
    let number = match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(&format!("{value:.1}")),
        size if size >= 1.0 => trimmed(&format!("{value:.2}")),
        _ => trimmed(&format!("{value:.3}")),
    };
    if unit.is_empty() {
        number
    } else {
        format!("{number} {unit}")
    }
}

fn trimmed(number: &str) -> String {
    number
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_met_and_what_is_not() {
        let mut outcome = Outcome::new("needle");
        outcome.measure("found", 175.0, "ms", Target::AtMost(350.0));
        outcome.measure("written", 500_000.0, "lines", Target::AtLeast(1e6));
        outcome.measure("lost", 0.0, "lines", Target::AtMost(0.0));
        outcome.measure("started", 2.5, "ms", Target::None);
        let table = table(&[outcome]);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| needle | found | 175 ms | ≤ 350 ms | 0.50 | met |",
                "| needle | written | 500000 lines | ≥ 1.00 M lines | 0.50 | **not met** |",
                "| needle | lost | 0 lines | ≤ 0 lines |  | met |",
                "| needle | started | 2.5 ms |  |  |  |",
            ]
        );
    }
}
