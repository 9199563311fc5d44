//! The process group of a contained program: by it everything is found, counted and killed.

use std::fs;

/// What all processes of a group use together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub processes: u32,
    pub resident_bytes: u64,
}

/// Adds up the living processes of a group.
pub(super) fn usage(group: i32) -> Usage {
    // SAFETY: asks for a number.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let mut usage = Usage::default();
    let Ok(entries) = fs::read_dir("/proc") else {
        return usage;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        if let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
            && let Some(pages) = resident_pages(&stat, group)
        {
            usage.processes += 1;
            usage.resident_bytes += pages * page;
        }
    }
    usage
}

/// The resident pages of a living process of the group, from its line in `/proc`.
fn resident_pages(stat: &str, group: i32) -> Option<u64> {
    // the name before may hold anything, parentheses too
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let (state, of_group, pages) = (fields.first()?, fields.get(2)?, fields.get(21)?);
    let lives = !matches!(*state, "Z" | "X");
    (lives && of_group.parse() == Ok(group)).then(|| pages.parse().unwrap_or(0))
}

/// Kills every process of a group.
pub(super) fn kill(group: i32) {
    // SAFETY: touches no memory. The group's id is still taken: its leader has not been reaped.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let line = |name: &str, state: char, group: i32| {
            format!("7 ({name}) {state} 1 {group} 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1000 33 99 1 1")
        };
        assert_eq!(resident_pages(&line("sh", 'R', 7), 7), Some(33));
        assert_eq!(resident_pages(&line("a) R 1 9 (b", 'S', 7), 7), Some(33));
        assert_eq!(resident_pages(&line("sh", 'R', 8), 7), None);
        assert_eq!(resident_pages(&line("sh", 'Z', 7), 7), None);
        assert_eq!(resident_pages("nonsense", 7), None);
    }
}
