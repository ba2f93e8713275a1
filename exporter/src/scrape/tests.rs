//! Probes that are well, late, broken.

use super::*;
use crate::probe::ProbeError;

const ONE: Family = Family::gauge("one", &[], "One.");

macro_rules! probe {
    ($name:ident, $body:expr) => {
        #[derive(Debug)]
        struct $name;

        impl Probe for $name {
            fn collect(
                &mut self,
                _context: &Context<'_>,
                out: &mut Families,
            ) -> Result<(), ProbeError> {
                let body: fn(&mut Families) -> Result<(), ProbeError> = $body;
                body(out)
            }
        }
    };
}

probe!(Well, |out| {
    out.push(&ONE, &Labels::none(), 1_u64);
    Ok(())
});
probe!(Hangs, |_| {
    // Not a wait of the test: this probe never answers in time.
    thread::sleep(Duration::from_secs(30));
    Ok(())
});
probe!(Breaks, |_| panic!("a defect"));
probe!(Absent, |out| {
    out.push(&ONE, &Labels::none(), 2_u64);
    Err(ProbeError::unavailable(Reason::NoModule, "not loaded"))
});

const fn entry(name: &'static str, make: fn(&Settings) -> Box<dyn Probe>) -> Entry {
    Entry {
        name,
        about: "",
        families: &[ONE],
        pace: Pace::Scrape,
        series_max: 10,
        make,
    }
}

const ALL: &[Entry] = &[
    entry("well", |_| Box::new(Well)),
    entry("hangs", |_| Box::new(Hangs)),
    entry("breaks", |_| Box::new(Breaks)),
    entry("absent", |_| Box::new(Absent)),
];

#[test]
fn one_bad_probe_spoils_no_other() {
    let exporter = Exporter::start_with(ALL, &Settings::new("/nonexistent")).unwrap();
    let began = Instant::now();
    for _ in 0..2 {
        let text = exporter
            .scrape(&Selection::default(), Duration::from_secs(2))
            .text();
        for line in [
            "one 1\n",
            "nodetap_probe_success{probe=\"absent\"} 1\n",
            "nodetap_probe_success{probe=\"breaks\"} 0\n",
            "nodetap_probe_success{probe=\"hangs\"} 0\n",
            "nodetap_probe_success{probe=\"well\"} 1\n",
            "nodetap_probe_available{probe=\"absent\",reason=\"no_module\"} 0\n",
            "nodetap_probe_available{probe=\"breaks\",reason=\"failed\"} 0\n",
            "nodetap_probe_available{probe=\"hangs\",reason=\"late\"} 0\n",
            "nodetap_probe_available{probe=\"well\",reason=\"ok\"} 1\n",
        ] {
            assert!(text.contains(line), "no {line} in:\n{text}");
        }
    }
    let text = exporter
        .scrape(
            &Selection::only(vec!["absent".to_owned(), "well".to_owned()]),
            Duration::from_secs(5),
        )
        .text();
    assert!(
        text.contains("nodetap_series_dropped_total{probe=\"absent\",reason=\"duplicate\"} 3\n"),
        "the series that lost is counted each time:\n{text}"
    );
    assert!(!text.contains("hangs"), "not chosen:\n{text}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_probe_that_is_not_there_is_refused() {
    let settings = Settings {
        off: vec!["nonsense".to_owned()],
        ..Settings::new("/")
    };
    let error = Exporter::start(&settings).unwrap_err().to_string();
    assert!(
        error.contains("nonsense") && error.contains("conntrack"),
        "{error}"
    );
}
