//! The process group of a contained program: by it everything is found, counted and killed.

use std::{
    collections::HashMap,
    fs, thread,
    time::{Duration, Instant},
};

use super::{outcome::Ending, policy::Sandbox};

/// Memory that the machine must have left, at the least, so that others can go on.
const LEFT_BYTES_MIN: u64 = 256 << 20;
/// How long killed processes may take to be gone.
const ENDING: Duration = Duration::from_secs(5);
/// A small machine must have this part left.
const LEFT_PART: u64 = 33;

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
    for (_, pages) in living(group) {
        usage.processes += 1;
        usage.resident_bytes += pages * page;
    }
    usage
}

/// The living processes of a group.
pub(super) fn members(group: i32) -> impl Iterator<Item = i32> {
    living(group).map(|(process, _)| process)
}

/// Each with its resident pages.
fn living(group: i32) -> impl Iterator<Item = (i32, u64)> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(move |entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((process, resident_pages(&stat, group)?))
    })
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

/// Which limit the processes of a group exceed together, if any.
pub(crate) fn exceeded(sandbox: &Sandbox, group: i32) -> Option<Ending> {
    let usage = usage(group);
    if usage.processes > sandbox.processes {
        return Some(Ending::TooManyProcesses { limit: sandbox.processes });
    }
    // pages that several of them share count once, but to find that out takes long
    if usage.resident_bytes > sandbox.memory_bytes && shared_out_bytes(group) > sandbox.memory_bytes {
        return Some(Ending::OutOfMemory { limit: sandbox.memory_bytes });
    }
    has_little_memory().then_some(Ending::MachineShortOf("memory"))
}

/// What the processes of a group use together, each shared page by the part of each.
fn shared_out_bytes(group: i32) -> u64 {
    let bytes = |process: i32| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        kilobytes(&text, "Pss:")
    };
    // of one that can't be looked into, all counts
    let all = |process: i32| {
        let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        kilobytes(&text, "VmRSS:")
    };
    members(group).filter_map(|process| bytes(process).or_else(|| all(process))).sum()
}

/// Whether the machine has so little memory left that it would soon kill somebody.
fn has_little_memory() -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (left, all) = (kilobytes(&text, "MemAvailable:"), kilobytes(&text, "MemTotal:"));
    left.zip(all).is_some_and(|(left, all)| left < LEFT_BYTES_MIN.min(all / LEFT_PART))
}

/// Reads `Name:   123 kB` as bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|number| number << 10)
}

/// The number by which this process knows one that has another number in a name space of its own, below `ancestor`.
pub(crate) fn seen_from_outside(ancestor: i32, inside: i32) -> Option<i32> {
    let mut parents = HashMap::new();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
        if let Some(parent) = line("PPid:").and_then(|mut words| words.next()?.parse::<i32>().ok()) {
            parents.insert(pid, parent);
        }
        let numbers: Vec<&str> = line("NSpid:").into_iter().flatten().collect();
        if numbers.len() > 1 && numbers.last().is_some_and(|last| last.parse() == Ok(inside)) {
            found.push(pid);
        }
    }
    let is_below =
        |pid: &i32| std::iter::successors(Some(*pid), |pid| parents.get(pid).copied()).any(|pid| pid == ancestor);
    found.into_iter().find(is_below)
}

/// Kills every process of a group.
pub(super) fn kill(group: i32) {
    // SAFETY: touches no memory. The group's id is still taken: its leader has not been reaped.
    unsafe { libc::kill(-group, libc::SIGKILL) };
}

/// Kills every process of a group until none is left.
pub(crate) fn end(group: i32) {
    let started = Instant::now();
    while usage(group).processes > 0 && started.elapsed() < ENDING {
        kill(group);
        thread::sleep(Duration::from_millis(1));
    }
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
