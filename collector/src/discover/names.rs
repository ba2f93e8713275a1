//! What does a name tell? Pure parsers of the platform's directory and file names.
//!
//! Sources: kubelet `pkg/kubelet/kuberuntime/helpers.go` and `pkg/kubelet/logs/container_log_manager.go`, Docker's
//! `daemon/logger/loggerutils/logfile.go`, logrotate(8).

use record::origin::Rotation;

/// The parts of `<namespace>_<pod>_<uid>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PodName<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
}

/// A file name's place in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chained<'a> {
    /// The name of the live file.
    pub(super) live: &'a str,
    pub(super) rotation: Rotation,
    pub(super) gzip: bool,
}

/// The directory below a pod's `volumes` that holds its emptyDir volumes.
pub(super) const EMPTY_DIRS: &str = "kubernetes.io~empty-dir";

/// Reads a pod directory's name. Namespace and pod are DNS names and so have no underscore.
pub(super) fn pod_directory(name: &str) -> Option<PodName<'_>> {
    let (namespace, rest) = name.split_once('_')?;
    let (name, uid) = rest.split_once('_')?;
    (is_dns(namespace, 63) && is_dns(name, 253) && is_uid(uid)).then_some(PodName {
        namespace,
        name,
        uid,
    })
}

/// Whether `name` can be a container's: a DNS label.
pub(super) fn is_container(name: &str) -> bool {
    is_dns(name, 63)
}

/// Whether `name` can be a pod's uid: a UUID, or the 32 hexadecimal digits of a static pod's manifest.
pub(super) fn is_uid(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether `name` is a container's full id: 64 hexadecimal digits.
pub(super) fn is_container_id(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Reads `<n>.log` and what kubelet makes of it: `<n>.log.20261121-115441` and `….gz`. Gives the restart `n` too.
pub(super) fn pod_log(name: &str) -> Option<(u32, Chained<'_>)> {
    let (number, rest) = name.split_once('.')?;
    let restart = decimal(number)?;
    let live = name.get(..number.len() + ".log".len())?;
    let rest = rest.strip_prefix("log")?;
    if rest.is_empty() {
        return Some((
            restart,
            Chained {
                live,
                rotation: Rotation::Live,
                gzip: false,
            },
        ));
    }
    let (date, gzip) = without_gz(rest.strip_prefix('.')?);
    let dated = date.starts_with(|first: char| first.is_ascii_digit())
        && date
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-');
    dated.then(|| {
        (
            restart,
            Chained {
                live,
                rotation: Rotation::Dated(date.to_owned()),
                gzip,
            },
        )
    })
}

/// Reads `<id>-json.log` and Docker's `….1`, `….2.gz`.
pub(super) fn docker_log<'a>(name: &'a str, id: &str) -> Option<Chained<'a>> {
    let rest = name.strip_prefix(id)?.strip_prefix("-json.log")?;
    let live = name.get(..name.len() - rest.len())?;
    if rest.is_empty() {
        return Some(Chained {
            live,
            rotation: Rotation::Live,
            gzip: false,
        });
    }
    let (number, gzip) = without_gz(rest.strip_prefix('.')?);
    let age = decimal(number).filter(|age| *age > 0)?;
    Some(Chained {
        live,
        rotation: Rotation::Numbered(-i64::from(age)),
        gzip,
    })
}

/// Reads the name of a plain text log: a live one, or what a rotation made of it.
///
/// Relatives of `X` begin with `X.` or `X-` and go on with a number, a date or `old`, all perhaps with `.gz`; `X.gz`
/// is the youngest relative. Rotation is looked for first, so that a pattern like `*` keeps chains together.
pub(super) fn text_log<'a>(name: &'a str, is_live: &dyn Fn(&str) -> bool) -> Option<Chained<'a>> {
    let (plain, gzip) = without_gz(name);
    for (at, byte) in plain.bytes().enumerate().skip(1) {
        if byte != b'.' && byte != b'-' {
            continue;
        }
        let (Some(live), Some(suffix)) = (plain.get(..at), plain.get(at + 1..)) else {
            continue;
        };
        if let Some(rotation) = rotation(suffix)
            && is_live(live)
        {
            return Some(Chained {
                live,
                rotation,
                gzip,
            });
        }
    }
    if plain.is_empty() || !is_live(plain) {
        return None;
    }
    let rotation = if gzip {
        Rotation::Numbered(0)
    } else {
        Rotation::Live
    };
    Some(Chained {
        live: plain,
        rotation,
        gzip,
    })
}

/// Reads `<pod>_<namespace>_<container>-<id>.log`, a link of `/var/log/containers`, and gives the id.
pub(super) fn link_container_id(name: &str) -> Option<&str> {
    let (rest, id) = name.strip_suffix(".log")?.rsplit_once('-')?;
    (is_container_id(id) && rest.matches('_').count() == 2).then_some(id)
}

/// Whether `name` is the log of a plain text file in a volume.
pub(super) fn is_text_log(name: &str) -> bool {
    name.strip_suffix(".log")
        .is_some_and(|stem| !stem.is_empty())
}

/// Reads what follows a live file's name: a number of at most five digits, a date, or `old`.
fn rotation(suffix: &str) -> Option<Rotation> {
    if suffix == "old" {
        return Some(Rotation::Numbered(-1));
    }
    if !suffix.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if suffix.bytes().all(|byte| byte.is_ascii_digit()) && suffix.len() <= 5 {
        return Some(Rotation::Numbered(-i64::from(decimal(suffix)?)));
    }
    let date =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b':' | b'.' | b'T' | b'Z');
    let digits = suffix.bytes().filter(u8::is_ascii_digit).count();
    (suffix.bytes().all(date) && digits >= 6).then(|| Rotation::Dated(sortable(suffix)))
}

/// Pads the counters that follow a date, so that `2026-11-21-10` sorts after `2026-11-21-9`.
fn sortable(date: &str) -> String {
    let mut out = String::with_capacity(date.len() + 8);
    let mut digits = 0;
    let mut rest = date;
    while let Some(first) = rest.chars().next() {
        let run = rest.bytes().take_while(u8::is_ascii_digit).count();
        if run == 0 {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        }
        if digits >= 8 {
            out.extend(std::iter::repeat_n('0', 6_usize.saturating_sub(run)));
        }
        digits += run;
        out.push_str(rest.get(..run).unwrap_or_default());
        rest = rest.get(run..).unwrap_or_default();
    }
    out
}

fn without_gz(name: &str) -> (&str, bool) {
    name.strip_suffix(".gz")
        .map_or((name, false), |plain| (plain, true))
}

fn decimal(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// A DNS label, or with dots a subdomain (RFC 1123): lower case, digits, `-` and `.` inside.
fn is_dns(name: &str, bytes_max: usize) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=bytes_max).contains(&name.len())
        && name
            .bytes()
            .all(|byte| inner(byte) || byte == b'-' || byte == b'.')
        && name.bytes().next().is_some_and(inner)
        && name.bytes().next_back().is_some_and(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pod_directories_of_a_node() {
        let check = |name: &str, expect: Option<(&str, &str, &str)>| {
            let found = pod_directory(name).map(|pod| (pod.namespace, pod.name, pod.uid));
            assert_eq!(found, expect, "{name}");
        };
        check(
            "default_files-labnode_a97bda8a0017c1c64ac112c45eefa1e6",
            Some((
                "default",
                "files-labnode",
                "a97bda8a0017c1c64ac112c45eefa1e6",
            )),
        );
        check(
            "shop_order-1.two_0f0e2c1a-1111-4222-8333-444455556666",
            Some((
                "shop",
                "order-1.two",
                "0f0e2c1a-1111-4222-8333-444455556666",
            )),
        );
        check("shop_order", None);
        check("shop_order_", None);
        check("shop_order_1_2", None);
        check("Shop_order_1", None);
        check("../x_order_1", None);
        check("", None);
    }

    #[test]
    fn names_of_kubelet_logs() {
        let live = |restart, live| {
            Some((
                restart,
                Chained {
                    live,
                    rotation: Rotation::Live,
                    gzip: false,
                },
            ))
        };
        let dated = |restart, live, date: &str, gzip| {
            Some((
                restart,
                Chained {
                    live,
                    rotation: Rotation::Dated(date.into()),
                    gzip,
                },
            ))
        };
        assert_eq!(pod_log("0.log"), live(0, "0.log"));
        assert_eq!(pod_log("12.log"), live(12, "12.log"));
        assert_eq!(
            pod_log("0.log.20261121-115441"),
            dated(0, "0.log", "20261121-115441", false)
        );
        assert_eq!(
            pod_log("3.log.20261121-115441.gz"),
            dated(3, "3.log", "20261121-115441", true)
        );
        for name in [
            "0.log.20261121-115441.tmp",
            "0.log.20261121-115441.gz.tmp",
            "0.log.",
            "a.log",
            ".log",
            "0.logx",
            "99999999999.log",
            "0.log.gz",
            "+1.log",
        ] {
            assert_eq!(pod_log(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_docker_logs() {
        let id = "a".repeat(64);
        let check = |rest: &str, expect: Option<(Rotation, bool)>| {
            let name = format!("{id}-json.log{rest}");
            let found = docker_log(&name, &id);
            if let Some(found) = &found {
                assert_eq!(found.live, format!("{id}-json.log"));
            }
            assert_eq!(
                found.map(|found| (found.rotation, found.gzip)),
                expect,
                "{rest}"
            );
        };
        check("", Some((Rotation::Live, false)));
        check(".1", Some((Rotation::Numbered(-1), false)));
        check(".2.gz", Some((Rotation::Numbered(-2), true)));
        check(".0", None);
        check(".gz", None);
        check(".tmp", None);
        assert_eq!(docker_log("config.v2.json", &id), None);
        assert!(Rotation::Numbered(-2) < Rotation::Numbered(-1));
    }

    #[test]
    fn names_of_text_logs_and_their_relatives() {
        let check = |name: &str, expect: Option<(&str, Rotation, bool)>| {
            let found = text_log(name, &|name| is_text_log(name) || name == "syslog");
            assert_eq!(
                found.map(|found| (found.live, found.rotation, found.gzip)),
                expect
            );
        };
        let dated = |date: &str| Rotation::Dated(date.into());
        check("app.log", Some(("app.log", Rotation::Live, false)));
        check(
            "app.log.1",
            Some(("app.log", Rotation::Numbered(-1), false)),
        );
        check(
            "app.log.12.gz",
            Some(("app.log", Rotation::Numbered(-12), true)),
        );
        check(
            "app.log-20261121",
            Some(("app.log", dated("20261121"), false)),
        );
        check(
            "app.log.2026-11-21.gz",
            Some(("app.log", dated("2026-11-21"), true)),
        );
        check(
            "app.log.2026-11-21-9",
            Some(("app.log", dated("2026-11-21-000009"), false)),
        );
        check(
            "app.log.old",
            Some(("app.log", Rotation::Numbered(-1), false)),
        );
        check("app.log.gz", Some(("app.log", Rotation::Numbered(0), true)));
        check(
            "app.2026-11-21.log",
            Some(("app.2026-11-21.log", Rotation::Live, false)),
        );
        check("syslog", Some(("syslog", Rotation::Live, false)));
        check(
            "syslog.2.gz",
            Some(("syslog", Rotation::Numbered(-2), true)),
        );
        check(
            "a.log.log-1",
            Some(("a.log.log", Rotation::Numbered(-1), false)),
        );
        for name in [
            "app.log.tmp",
            "app.log.swp",
            "app.txt",
            ".log",
            "wtmp",
            "app.log.1.bak",
            "",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn a_pattern_for_everything_keeps_a_chain_together() {
        let found = text_log("messages.1", &|_| true).unwrap();
        assert_eq!(
            (found.live, found.rotation),
            ("messages", Rotation::Numbered(-1))
        );
    }

    #[test]
    fn counters_after_a_date_sort_as_numbers() {
        let of = |name| text_log(name, &is_text_log).unwrap().rotation;
        assert!(of("a.log.2026-11-21-9") < of("a.log.2026-11-21-10"));
        assert!(of("a.log.2026-11-21-10") < of("a.log.2026-11-22-1"));
        assert!(of("a.log.20261121-115441") < of("a.log.20261121-115501"));
    }

    #[test]
    fn container_links_carry_ids() {
        let id = "0".repeat(64);
        assert_eq!(
            link_container_id(&format!("web_default_sidecar-0-{id}.log")),
            Some(&*id)
        );
        assert_eq!(link_container_id(&format!("web_sidecar-{id}.log")), None);
        assert_eq!(link_container_id("web_default_sidecar-0.log"), None);
    }

    proptest! {
        #[test]
        fn no_name_breaks_a_parser(name in any::<String>()) {
            pod_directory(&name);
            link_container_id(&name);
            docker_log(&name, "x");
            if let Some((_, log)) = pod_log(&name) {
                prop_assert!(name.starts_with(log.live));
            }
            if let Some(log) = text_log(&name, &|_| true) {
                prop_assert!(name.starts_with(log.live));
                prop_assert!(!log.live.is_empty());
            }
        }

        #[test]
        fn a_relative_belongs_to_its_live_file(stem in "[a-z.-]{1,12}", age in 1_u32..99_999, gzip: bool) {
            let live = format!("{stem}.log");
            let name = format!("{live}.{age}{}", if gzip { ".gz" } else { "" });
            let found = text_log(&name, &is_text_log).unwrap();
            prop_assert_eq!(found, Chained { live: &live, rotation: Rotation::Numbered(-i64::from(age)), gzip });
        }

        #[test]
        fn a_pod_directory_is_its_parts(namespace in "[a-z][a-z0-9]{0,20}", name in "[a-z][a-z0-9.]{0,20}[a-z]", uid in "[0-9a-f]{32}") {
            let joined = format!("{namespace}_{name}_{uid}");
            prop_assert_eq!(
                pod_directory(&joined),
                Some(PodName { namespace: &namespace, name: &name, uid: &uid })
            );
        }
    }
}
