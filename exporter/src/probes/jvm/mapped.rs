//! What does a process map? Its JVM, and the file of its counters.

/// What a process maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Which JVM.
    pub machine: Machine,
    /// The last two names of its counters' path: `hsperfdata_<user>`, and its pid.
    pub counters: Option<(String, String)>,
    /// Whether that file was removed meanwhile.
    pub is_removed: bool,
}

/// Which JVM a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machine {
    /// None.
    #[default]
    None,
    /// `HotSpot`, of any vendor.
    HotSpot,
    /// Eclipse `OpenJ9`.
    OpenJ9,
    /// It is called java, and we may not see what it maps.
    Hidden,
}

/// What `/proc/<pid>/maps` says of JVMs.
pub fn read(maps: &str) -> Mapped {
    let mut mapped = Mapped::default();
    for line in maps.lines() {
        // The path is the sixth field and may hold spaces.
        let Some(start) = line.find('/') else {
            continue;
        };
        let path = line.get(start..).unwrap_or_default();
        let (path, is_removed) = match path.strip_suffix(" (deleted)") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let mut parts = path.rsplit('/');
        let (last, before) = (parts.next().unwrap_or_default(), parts.next());
        match (last, before) {
            ("libjvm.so", _) if mapped.machine != Machine::OpenJ9 => {
                mapped.machine = Machine::HotSpot;
            }
            (name, _) if name.starts_with("libj9vm") => mapped.machine = Machine::OpenJ9,
            (pid, Some(user))
                if user.starts_with("hsperfdata_")
                    && !pid.is_empty()
                    && pid.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                mapped.counters = Some((user.to_owned(), pid.to_owned()));
                mapped.is_removed = is_removed;
            }
            _ => {}
        }
    }
    mapped
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
7f0000000000-7f0000008000 rw-s 00000000 00:35 99 /tmp/hsperfdata_app/7
7f0000010000-7f0000020000 r-xp 00000000 fe:00 12 /usr/lib/jvm/java-17/lib/server/libjvm.so
7f0000030000-7f0000040000 rw-p 00000000 00:00 0
7f0000050000-7f0000060000 r--p 00000000 fe:00 13 /srv/a file with hsperfdata_x in it
";

    #[test]
    fn a_jvm_is_what_maps_one() {
        let mapped = read(MAPS);
        assert_eq!(mapped.machine, Machine::HotSpot);
        let counters = Some(("hsperfdata_app".to_owned(), "7".to_owned()));
        assert_eq!(mapped.counters, counters);
        assert!(!mapped.is_removed);
        assert_eq!(read("").machine, Machine::None);
        let removed = read("1-2 rw-s 0 0:0 9 /tmp/hsperfdata_a/1 (deleted)\n");
        assert!(removed.is_removed);
        let other = read("1-2 r-xp 0 0:0 9 /jvm/libj9vm29.so\n1-2 r-xp 0 0:0 9 /jvm/libjvm.so\n");
        assert_eq!(other.machine, Machine::OpenJ9);
    }
}
