//! The answers over a real store against the same question asked of a plain list of documents.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use record::{
    Container, File, FileKey, Fingerprint, Level, Origin, OutputStream, Pod, Tags, Timestamp,
};
use store::{Batch, Options, Writer};

use super::*;
use crate::parse;

/// Half an hour before a day ends, so that lines fall on two days.
const START: i64 = 1_795_303_800_000_000_000;

const MESSAGES: [&str; 10] = [
    "connection timeout after 30s",
    "Connection TIMEOUT",
    "ready",
    "",
    "GRÖSSE überschritten",
    "größe ok",
    "Traceback (most recent call last):\n  File \"x.py\"\nValueError: Größe",
    "GET /api/v1/orders 502",
    "a*b?c \"quoted\" \\ back",
    "\u{1b}[31mred\u{1b}[0m",
];

const QUERIES: [&str; 18] = [
    "*",
    "timeout",
    "größe",
    "\"GRÖSSE\" OR timeout",
    "-timeout",
    "level:error",
    "level:>=warn",
    "NOT level:*",
    "level:<error AND NOT ready",
    "ns:shop pod:order-*",
    "pod:order-1 OR container:side",
    "/time.*[0-9]+/",
    "message:=\"\"",
    "g*t \\/api/*50?",
    "stream:stderr",
    "offset:[30 TO 90}",
    "log.stream:uid-2/app",
    "\"\\nValueError\"",
];

/// One line to be written, as numbers that every case can shrink.
#[derive(Clone, Debug)]
struct Seed {
    stream: usize,
    new_file: bool,
    message: usize,
    level: usize,
    /// Added to the time before, in seconds; may be nothing, or back.
    step_seconds: i64,
}

/// What happens after a line was put into the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Append,
    Seal,
}

fn seeds() -> impl Strategy<Value = Vec<(Seed, Then)>> {
    let seed = (
        0..4_usize,
        prop::bool::weighted(0.1),
        0..MESSAGES.len(),
        0..7_usize,
        prop_oneof![
            2 => Just(0_i64),
            6 => 0..120_i64,
            1 => -900..0_i64,
        ],
    );
    let seed = seed.prop_map(|(stream, new_file, message, level, step_seconds)| Seed {
        stream,
        new_file,
        message,
        level,
        step_seconds,
    });
    let then =
        prop_oneof![8 => Just(Then::Nothing), 3 => Just(Then::Append), 1 => Just(Then::Seal)];
    prop::collection::vec((seed, then), 0..60)
}

fn file(stream: usize, started: i64) -> Arc<File> {
    let container = if stream == 3 { "side" } else { "app" };
    let fingerprint = Fingerprint::of_first_line(format!("{stream} {started}").as_bytes());
    Arc::new(File {
        origin: Arc::new(Origin {
            stream: format!("uid-{stream}/{container}"),
            pod: Some(Pod {
                namespace: if stream == 0 { "lab" } else { "shop" }.into(),
                name: format!("order-{stream}"),
                uid: format!("uid-{stream}"),
                ..Pod::default()
            }),
            container: Some(Container {
                name: container.into(),
                ..Container::default()
            }),
            ..Origin::default()
        }),
        key: FileKey(fingerprint.0),
        fingerprint: fingerprint.to_string(),
        path: format!("/var/log/pods/{stream}/0.log"),
        started,
        restart_count: Some(0),
        node: Arc::default(),
    })
}

/// The documents of seeds: positions go up in each stream, whatever the times do.
fn documents(seeds: &[Seed]) -> Vec<Document> {
    let mut files: BTreeMap<usize, (Arc<File>, u64)> = BTreeMap::new();
    let mut time = START;
    let mut documents = Vec::new();
    for (index, seed) in seeds.iter().enumerate() {
        time += seed.step_seconds * 1_000_000_000;
        if seed.new_file || !files.contains_key(&seed.stream) {
            // Later files start later, as the collector sees to.
            files.insert(seed.stream, (file(seed.stream, START + index as i64), 0));
        }
        let (file, offset) = files.get_mut(&seed.stream).unwrap();
        let message = MESSAGES[seed.message];
        let end = *offset + 10;
        documents.push(Document {
            file: Arc::clone(file),
            time: Timestamp(time),
            output: OutputStream::ALL[seed.level % 3],
            level: Level::ALL[seed.level],
            message: message.to_owned(),
            offset: *offset,
            end,
            end_started: file.started,
            part: 0,
            tags: if message.contains('\n') {
                Tags::MULTILINE
            } else {
                Tags::NONE
            },
            app: None,
            error: None,
        });
        *offset = end;
    }
    documents
}

struct Store {
    dir: tempfile::TempDir,
    writer: Writer,
    batch: Batch,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            seal_age: Duration::from_hours(1),
            ..Options::default()
        };
        let writer = Writer::open(dir.path(), options, Timestamp(START)).unwrap();
        Self {
            dir,
            writer,
            batch: Batch::new(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn put(&mut self, document: &Document, then: Then) {
        self.batch.push(&document.record());
        if then != Then::Nothing {
            self.writer.append(&mut self.batch).unwrap();
        }
        if then == Then::Seal {
            self.writer.sync().unwrap();
            // Late enough for every age, so that what is fresh is sealed; until nothing is left to do.
            while self
                .writer
                .maintain(Timestamp(START + 86_400_000_000_000_000))
                .unwrap()
                .busy
            {
                std::thread::yield_now();
            }
        }
    }

    fn finish(&mut self) {
        self.writer.append(&mut self.batch).unwrap();
    }
}

fn written(seeds: &[(Seed, Then)]) -> (Store, Vec<Document>) {
    let plain: Vec<Seed> = seeds.iter().map(|(seed, _)| seed.clone()).collect();
    let documents = documents(&plain);
    let mut store = Store::new();
    for (document, (_, then)) in documents.iter().zip(seeds) {
        store.put(document, *then);
    }
    store.finish();
    (store, documents)
}

fn all(backend: &StoreBackend, query: &Query) -> (Vec<Item>, Summary) {
    let mut items = Vec::new();
    let summary = backend
        .search(query, &mut |item| {
            items.push(item);
            ControlFlow::Continue(())
        })
        .unwrap();
    (items, summary)
}

fn is_wanted(query: &Query, document: &Document) -> bool {
    query.wanted().matches(&document.record())
        && query.since.is_none_or(|since| since <= document.time)
        && query.until.is_none_or(|until| document.time < until)
}

/// The hits in reading order, and whether the limit kept some out.
fn oracle(documents: &[Document], query: &Query) -> (Vec<Document>, bool) {
    let mut hits: Vec<Document> = documents
        .iter()
        .filter(|document| is_wanted(query, document))
        .cloned()
        .collect();
    hits.sort_by_key(|hit| (hit.time, hit.file.origin.stream.clone(), Place::of(hit)));
    let kept = query.hits_max().unwrap_or(usize::MAX).min(hits.len());
    let limited = kept < hits.len();
    (
        order::merged(hits.split_off(hits.len() - kept), |hit| hit),
        limited,
    )
}

fn queries() -> impl Strategy<Value = Query> {
    let moment = || {
        prop::option::weighted(
            0.3,
            (-300..4000_i64).prop_map(|at| Timestamp(START + at * 1_000_000_000)),
        )
    };
    (
        prop::sample::select(QUERIES.to_vec()),
        moment(),
        moment(),
        prop::option::of(prop_oneof![8 => 0..12_usize, 1 => Just(1 << 20), 1 => Just(usize::MAX)]),
        prop::option::weighted(0.3, 0..12_usize),
        prop::option::weighted(0.2, prop::sample::select(Level::ALL.to_vec())),
        prop::option::weighted(
            0.2,
            prop::sample::select(vec!["shop", "l*", "none", "SHOP"]),
        ),
    )
        .prop_map(
            |(text, since, until, limit, tail, level, namespace)| Query {
                predicate: parse(text).unwrap(),
                namespaces: namespace.map(str::to_owned).into_iter().collect(),
                level,
                since,
                until,
                limit,
                tail,
                ..Query::default()
            },
        )
}

proptest! {
    // Each case writes and syncs files.
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_search_gives_what_the_list_gives(
        seeds in seeds(),
        queries in prop::collection::vec(queries(), 8),
    ) {
        let (store, documents) = written(&seeds);
        let backend = StoreBackend::open(store.path()).unwrap();
        let small = StoreBackend::open(store.path()).unwrap().with_memory(1, usize::MAX);
        for query in queries {
            let (expect, limited) = oracle(&documents, &query);
            let expect: Vec<Item> = expect.into_iter().map(Item::Hit).collect();
            for backend in [&backend, &small] {
                let (found, summary) = all(backend, &query);
                prop_assert_eq!(&found, &expect, "{:?}", query);
                prop_assert_eq!(summary.hits, expect.len() as u64);
                prop_assert_eq!(summary.limited, limited);
            }
        }
    }

    #[test]
    fn streams_stay_in_order_when_too_much_would_have_to_wait(seeds in seeds(), query in queries()) {
        let (store, documents) = written(&seeds);
        let backend = StoreBackend::open(store.path()).unwrap().with_memory(1, 1);
        let (items, summary) = all(&backend, &query);
        let (hits, limited) = oracle(&documents, &query);
        prop_assert_eq!((summary.hits, summary.limited), (hits.len() as u64, limited));
        for stream in 0..4 {
            let of_stream = |line: &&Document| line.file.origin.pod_name() == format!("order-{stream}");
            let expect: Vec<Item> = hits.iter().filter(of_stream).cloned().map(Item::Hit).collect();
            let found: Vec<Item> = items
                .iter()
                .filter(|item| matches!(item, Item::Hit(line) if of_stream(&line)))
                .cloned()
                .collect();
            prop_assert_eq!(found, expect);
        }
    }

    #[test]
    fn context_is_what_stands_around_in_the_list(
        seeds in seeds(),
        queries in prop::collection::vec(queries(), 4),
        context in 1..5_usize,
    ) {
        let (store, documents) = written(&seeds);
        let backend = StoreBackend::open(store.path()).unwrap();
        for query in queries {
            let query = Query { context, ..query };
            let (hits, _) = oracle(&documents, &query);
            let (items, summary) = all(&backend, &query);
            prop_assert_eq!(summary.hits, hits.len() as u64);
            for stream in 0..4 {
                let of_stream = |line: &&Document| line.file.origin.pod_name() == format!("order-{stream}");
                // The list is in exact order within each stream.
                let own: Vec<&Document> = documents.iter().filter(of_stream).collect();
                let is_hit: Vec<bool> = own.iter().map(|line| hits.contains(line)).collect();
                let near = |at: usize| {
                    is_hit.iter().skip(at.saturating_sub(context)).take(at.min(context) + 1 + context).any(|hit| *hit)
                };
                let expect: Vec<(&Document, bool)> =
                    (0..own.len()).filter(|at| near(*at)).map(|at| (own[at], is_hit[at])).collect();
                let found: Vec<(&Document, bool)> = items
                    .iter()
                    .filter_map(|item| match item {
                        Item::Hit(line) => Some((line, true)),
                        Item::Context(line) => Some((line, false)),
                        Item::Break => None,
                    })
                    .filter(|(line, _)| of_stream(line))
                    .collect();
                prop_assert_eq!(found, expect, "{:?}", query);
            }
        }
    }

    #[test]
    fn the_histogram_counts_what_the_list_has(
        seeds in seeds(),
        queries in prop::collection::vec(queries(), 4),
        bucket_seconds in 1..1000_u64,
    ) {
        let (store, documents) = written(&seeds);
        let backend = StoreBackend::open(store.path()).unwrap();
        for query in queries {
            let nanos = bucket_seconds as i64 * 1_000_000_000;
            let mut expect: BTreeMap<Timestamp, [u64; 7]> = BTreeMap::new();
            for document in documents.iter().filter(|document| is_wanted(&query, document)) {
                let bucket = Timestamp(document.time.0.div_euclid(nanos) * nanos);
                expect.entry(bucket).or_default()[document.level as usize] += 1;
            }
            let found = backend.histogram(&query, Duration::from_secs(bucket_seconds)).unwrap();
            prop_assert_eq!(found.buckets, expect, "{:?}", query);
        }
    }

    #[test]
    fn following_gives_each_new_line_once_and_in_the_order_of_its_stream(
        seeds in seeds(),
        query in queries(),
        begin in 0..60_usize,
        rows_max in 1..8_usize,
    ) {
        let plain: Vec<Seed> = seeds.iter().map(|(seed, _)| seed.clone()).collect();
        let documents = documents(&plain);
        let mut store = Store::new();
        let mut backend = StoreBackend::open(store.path()).unwrap().with_follow_rows_max(rows_max);
        let begin = begin.min(documents.len());
        let mut found = Vec::new();
        let mut follow = |backend: &mut StoreBackend, bookmark: &mut Bookmark| {
            backend.follow(&query, bookmark, &mut |item| {
                let Item::Hit(line) = item else { panic!("only hits are followed") };
                found.push(line);
                ControlFlow::Continue(())
            }).unwrap();
        };
        for (document, (_, then)) in documents.iter().zip(&seeds).take(begin) {
            store.put(document, *then);
        }
        store.finish();
        let mut tail = Vec::new();
        let mut bookmark = backend.tail(&query, &mut |item| {
            tail.push(item);
            ControlFlow::Continue(())
        }).unwrap();
        let before: Vec<Item> = oracle(&documents[..begin], &query).0.into_iter().map(Item::Hit).collect();
        prop_assert_eq!(tail, before);
        for (index, (document, (_, then))) in documents.iter().zip(&seeds).enumerate().skip(begin) {
            store.put(document, *then);
            if index % 3 == 0 {
                follow(&mut backend, &mut bookmark);
            }
        }
        store.finish();
        follow(&mut backend, &mut bookmark);
        follow(&mut backend, &mut bookmark);
        for stream in 0..4 {
            let of_stream = |line: &&Document| line.file.origin.pod_name() == format!("order-{stream}");
            let expect: Vec<&Document> = documents[begin..]
                .iter()
                .filter(of_stream)
                .filter(|document| is_wanted(&query, document))
                .collect();
            prop_assert_eq!(found.iter().filter(of_stream).collect::<Vec<_>>(), expect);
        }
    }
}

#[test]
fn a_directory_without_a_store_has_no_lines() {
    let dir = tempfile::tempdir().unwrap();
    let backend = StoreBackend::open(&dir.path().join("store")).unwrap();
    let (items, summary) = all(&backend, &Query::default());
    assert_eq!((items, summary), (Vec::new(), Summary::default()));
}

#[test]
fn whoever_has_enough_ends_the_search() {
    let seed = Seed {
        stream: 1,
        new_file: false,
        message: 0,
        level: 1,
        step_seconds: 1,
    };
    let (store, documents) = written(&vec![(seed, Then::Nothing); 20]);
    for buffer_bytes_max in [1, usize::MAX] {
        let backend = StoreBackend::open(store.path())
            .unwrap()
            .with_memory(buffer_bytes_max, usize::MAX);
        for context in [0, 2] {
            if buffer_bytes_max == 1 && context > 0 {
                continue;
            }
            let mut items = Vec::new();
            let query = Query {
                context,
                ..Query::default()
            };
            let search = backend.search(&query, &mut |item| {
                items.push(item);
                if items.len() == 3 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            search.unwrap();
            let expect: Vec<Item> = documents[..3].iter().cloned().map(Item::Hit).collect();
            assert_eq!(items, expect);
        }
    }
}

#[test]
fn context_of_more_hits_than_memory_holds_is_refused() {
    let seed = Seed {
        stream: 1,
        new_file: false,
        message: 0,
        level: 1,
        step_seconds: 1,
    };
    let (store, _) = written(&[(seed, Then::Nothing)]);
    let backend = StoreBackend::open(store.path())
        .unwrap()
        .with_memory(1, usize::MAX);
    let query = Query {
        context: 1,
        ..Query::default()
    };
    let refused = backend.search(&query, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(
        refused,
        Err(BackendError::Context { bytes_max: 1 })
    ));
}
