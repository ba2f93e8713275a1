//! Can the log files be reached? The conventional directories, their rights, and links that point nowhere.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Finding;
use crate::place::Place;

/// How many links one path may go through, as in the kernel (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// How many names a finding shows.
const SHOWN_MAX: usize = 3;

pub(super) fn look(place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut present = 0;
    for (path, what) in [
        ("var/log/pods", "logs of pods"),
        ("var/lib/docker/containers", "logs of Docker containers"),
        ("var/log", "logs of the node"),
    ] {
        match reach(&place.root.join(path)) {
            Ok(None) => {}
            Ok(Some(_)) => {
                present += 1;
                findings.push(Finding::ok(format!("/{path}: {what} can be read")));
            }
            Err((at, error)) => {
                present += 1;
                findings.push(Finding::fail(
                    format!(
                        "/{path}: {} can't be read: {error}",
                        at.display().to_string().escape_debug()
                    ),
                    "run as root, or with the capability DAC_READ_SEARCH",
                ));
            }
        }
    }
    if present == 0 {
        findings.push(Finding::fail(
            format!(
                "{} has no /var/log: nothing to collect",
                place.root.display()
            ),
            "give the node's file system with --root",
        ));
    }
    findings.push(links(&place.root));
    findings.extend(journal(&place.root));
    findings
}

/// The journal is binary and is not read yet; who has one should know what is missing.
fn journal(root: &Path) -> Option<Finding> {
    let has_entries = |path: &str| {
        fs::read_dir(root.join(path)).is_ok_and(|mut entries| entries.next().is_some())
    };
    let path = ["var/log/journal", "run/log/journal"]
        .into_iter()
        .find(|path| has_entries(path))?;
    Some(Finding::warn(
        format!("/{path}: the journal is not read yet"),
        "services that log to the journal only are missing; containers are not touched by it, \
         unless Docker uses the log driver journald",
    ))
}

/// Opens a few files of a tree, two directories deep; `None` when the tree is not there.
fn reach(directory: &Path) -> Result<Option<usize>, (PathBuf, io::Error)> {
    const FILES_MAX: usize = 50;
    let mut files = 0;
    let mut waiting = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = waiting.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && depth == 0 => return Ok(None),
            // A pod can go away while its directory is looked at.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err((directory, error)),
        };
        for entry in entries.filter_map(Result::ok) {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && depth < 2 && waiting.len() < 10_000 {
                waiting.push((entry.path(), depth + 1));
            } else if kind.is_file() && looks_like_log(&entry.path()) {
                match File::open(entry.path()) {
                    Ok(_) => files += 1,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err((entry.path(), error)),
                }
            }
            if files >= FILES_MAX {
                return Ok(Some(files));
            }
        }
    }
    Ok(Some(files))
}

fn looks_like_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

/// The links of /var/log/containers: each must lead to a file below the root.
fn links(root: &Path) -> Finding {
    let directory = root.join("var/log/containers");
    let Ok(entries) = fs::read_dir(&directory) else {
        return Finding::ok("/var/log/containers is not there, and is not needed");
    };
    let mut whole = 0;
    let mut broken = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let below = Path::new("var/log/containers").join(entry.file_name());
        if resolve(root, &below).is_some_and(|path| path.is_file()) {
            whole += 1;
        } else {
            broken.push(
                entry
                    .file_name()
                    .to_string_lossy()
                    .escape_debug()
                    .to_string(),
            );
        }
    }
    if broken.is_empty() {
        return Finding::ok(format!("/var/log/containers: {whole} links lead to files"));
    }
    broken.sort();
    let shown = broken
        .iter()
        .take(SHOWN_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let more = if broken.len() > SHOWN_MAX {
        ", …"
    } else {
        ""
    };
    Finding::warn(
        format!(
            "/var/log/containers: {} of {} links lead nowhere: {shown}{more}",
            broken.len(),
            whole + broken.len()
        ),
        "a few are usual while pods go away; many mean that a directory is not mounted below --root",
    )
}

/// Follows links as if `root` were `/`; `None` when something on the way is missing or the links go round.
fn resolve(root: &Path, below: &Path) -> Option<PathBuf> {
    let mut left = LINKS_MAX;
    let mut done = root.to_owned();
    let mut waiting: Vec<PathBuf> = split(below);
    while let Some(part) = waiting.pop() {
        if part.as_os_str() == ".." {
            if done != root {
                done.pop();
            }
            continue;
        }
        let next = done.join(&part);
        let kind = fs::symlink_metadata(&next).ok()?.file_type();
        if kind.is_symlink() {
            left = left.checked_sub(1)?;
            let target = fs::read_link(&next).ok()?;
            if target.is_absolute() {
                root.clone_into(&mut done);
            }
            waiting.extend(split(&target));
        } else {
            done = next;
        }
    }
    Some(done)
}

/// The parts of a path, last one first, without its root.
fn split(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::check::Verdict;

    #[test]
    fn links_are_followed_below_the_root_only() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("var/log/pods/a/c")).unwrap();
        fs::create_dir_all(root.join("var/log/containers")).unwrap();
        fs::write(root.join("var/log/pods/a/c/0.log"), "x\n").unwrap();
        symlink(
            "/var/log/pods/a/c/0.log",
            root.join("var/log/containers/a.log"),
        )
        .unwrap();
        assert_eq!(
            links(root),
            Finding::ok("/var/log/containers: 1 links lead to files")
        );
        symlink("../pods/a/c/0.log", root.join("var/log/containers/b.log")).unwrap();
        assert_eq!(
            links(root),
            Finding::ok("/var/log/containers: 2 links lead to files")
        );
        symlink("/etc/passwd", root.join("var/log/containers/outside.log")).unwrap();
        symlink("round.log", root.join("var/log/containers/round.log")).unwrap();
        let found = links(root);
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(
            found
                .what
                .ends_with("2 of 4 links lead nowhere: outside.log, round.log"),
            "{}",
            found.what
        );
    }

    #[test]
    fn a_journal_is_mentioned() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(journal(directory.path()), None);
        fs::create_dir_all(directory.path().join("run/log/journal/0123")).unwrap();
        let found = journal(directory.path()).unwrap();
        assert_eq!(
            (found.verdict, found.what.as_str()),
            (
                Verdict::Warn,
                "/run/log/journal: the journal is not read yet"
            )
        );
    }

    #[test]
    fn a_tree_that_is_not_there_is_no_failure_and_its_files_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(reach(&directory.path().join("none")), Ok(None)));
        fs::create_dir_all(directory.path().join("pod/container")).unwrap();
        fs::write(directory.path().join("pod/container/0.log"), "x\n").unwrap();
        fs::write(directory.path().join("pod/other"), "x\n").unwrap();
        assert!(matches!(reach(directory.path()), Ok(Some(1))));
    }
}
