//! How sealed off a run was: what its record doesn't hold of it, and the grade that follows from that.

use std::{fmt, net::SocketAddr};

pub use crate::record::{Bypass, Gap, StreamKind};
use crate::record::{CaptureSummary, FileRef, RunRecord};

/// Why a run has no better grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Level(u8),
    /// Not all files fit into the record.
    Truncated,
    /// Of an older record, which doesn't say how.
    Bypassed,
    Gap(Gap),
    Contacted(String),
    /// An input is not, or may not be, what its digest says.
    Changed(String),
}

/// The grade of a run, with all reasons why it is no better, the weightiest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hermetic {
    /// A: no network, and all that was read and written is held · C: something is named that isn't held, hosts were
    /// contacted or inputs changed meanwhile · D: the capture is incomplete.
    pub grade: char,
    pub reasons: Vec<Reason>,
}

const SEES_ALL: u8 = 4;

impl Hermetic {
    pub fn of(capture: &CaptureSummary, inputs: &[FileRef]) -> Self {
        let mut reasons = Vec::new();
        if capture.level < SEES_ALL {
            reasons.push(Reason::Level(capture.level));
        }
        if capture.truncated {
            reasons.push(Reason::Truncated);
        }
        let says_how = capture.gaps.iter().any(|gap| matches!(gap, Gap::Bypass { .. }));
        if capture.may_bypass && !says_how {
            reasons.push(Reason::Bypassed);
        }
        reasons.extend(capture.gaps.iter().cloned().map(Reason::Gap));
        reasons.extend(capture.hosts.iter().filter(|host| !is_this_machine(host)).cloned().map(Reason::Contacted));
        let changed = inputs.iter().filter(|file| file.mutated);
        reasons.extend(changed.map(|file| Reason::Changed(file.path.clone())));
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.grade()));
        Self { grade: reasons.first().map_or('A', Reason::grade), reasons }
    }

    /// The first reasons for people, and how many more there are; nothing if there are none.
    pub fn why(&self, shown: usize) -> Option<String> {
        let mut texts: Vec<String> = self.reasons.iter().take(shown).map(Reason::to_string).collect();
        if let Some(more) = self.reasons.len().checked_sub(shown + 1) {
            texts.push(format!("and {} more", more + 1));
        }
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

impl Reason {
    const fn grade(&self) -> char {
        match self {
            Self::Level(_) | Self::Truncated | Self::Bypassed => 'D',
            Self::Gap(Gap::Outlived { .. } | Gap::Abandoned | Gap::Bypass { .. }) => 'D',
            Self::Gap(Gap::Stream { .. } | Gap::NotRead { .. } | Gap::NotWritten { .. }) => 'C',
            Self::Contacted(_) | Self::Changed(_) => 'C',
        }
    }

    /// Whether the run may have read files that the record doesn't name.
    pub const fn may_hide_inputs(&self) -> bool {
        match self {
            Self::Level(_) | Self::Truncated | Self::Bypassed => true,
            Self::Gap(gap) => !matches!(gap, Gap::NotWritten { .. }),
            Self::Contacted(_) | Self::Changed(_) => false,
        }
    }
}

impl RunRecord {
    /// How sealed off the run was, and why it was no more so.
    pub fn hermetic(&self) -> Hermetic {
        Hermetic::of(&self.capture, &self.inputs)
    }

    /// What the run may have read besides what its record holds; the weightiest reason.
    pub fn weakness(&self) -> Option<String> {
        let hides =
            |reason: &Reason| reason.may_hide_inputs() || matches!(reason, Reason::Contacted(_) | Reason::Changed(_));
        self.hermetic().reasons.iter().find(|reason| hides(reason)).map(ToString::to_string)
    }
}

/// Whether a `host:port` is this machine itself, which is no network.
fn is_this_machine(host: &str) -> bool {
    match host.parse::<SocketAddr>() {
        // a connection to the unspecified address goes to this machine
        Ok(address) => address.ip().to_canonical().is_loopback() || address.ip().is_unspecified(),
        Err(_) => host.rsplit_once(':').is_some_and(|(name, _)| name == "localhost"),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "it was captured at level {level} of {SEES_ALL}"),
            Self::Truncated => f.write_str("its list of files was cut"),
            Self::Bypassed => f.write_str("it used what the tracer can't see through"),
            Self::Gap(gap) => gap.fmt(f),
            Self::Contacted(host) => write!(f, "contacted {host}"),
            Self::Changed(path) => write!(f, "`{path}` is not kept as it was read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, lineage::Certainty};

    fn summary() -> CaptureSummary {
        CaptureSummary {
            level: 4,
            method: "ptrace+seccomp".into(),
            hosts: vec![],
            environment_files: 0,
            truncated: false,
            may_bypass: false,
            gaps: vec![],
        }
    }

    fn gap(gap: Gap) -> CaptureSummary {
        CaptureSummary { gaps: vec![gap], ..summary() }
    }

    fn hosts(hosts: &[&str]) -> CaptureSummary {
        CaptureSummary { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..summary() }
    }

    fn input(path: &str, mutated: bool) -> FileRef {
        FileRef {
            path: path.into(),
            digest: Digest::of(b""),
            sha256: None,
            size: 0,
            role: None,
            certainty: Certainty::Observed,
            mutated,
            read_at: None,
            written_at: None,
        }
    }

    #[test]
    fn the_worst_that_is_known_decides_and_is_said() {
        let text = String::from;
        let outlived = Gap::Outlived { count: 2, programs: vec!["python3".into(), "sh".into()] };
        let not_read = Gap::NotRead { path: "a.csv".into(), why: "it is not there any more".into() };
        let table = [
            (summary(), 'A', None),
            (hosts(&["127.0.0.1:5432", "[::1]:80", "0.0.0.0:1", "localhost:8080"]), 'A', None),
            (hosts(&["151.101.0.223:443"]), 'C', Some(text("contacted 151.101.0.223:443"))),
            (hosts(&["pypi.org:443"]), 'C', Some(text("contacted pypi.org:443"))),
            (CaptureSummary { level: 1, ..summary() }, 'D', Some(text("it was captured at level 1 of 4"))),
            (CaptureSummary { truncated: true, ..summary() }, 'D', Some(text("its list of files was cut"))),
            (
                CaptureSummary { may_bypass: true, ..summary() },
                'D',
                Some(text("it used what the tracer can't see through")),
            ),
            (
                CaptureSummary { may_bypass: true, ..gap(Gap::Bypass { how: Bypass::IoUring }) },
                'D',
                Some(text("it used io_uring, which the tracer can't see through")),
            ),
            (gap(outlived), 'D', Some(text("2 processes outlived it (python3, sh)"))),
            (gap(Gap::Abandoned), 'D', Some(text("`stemma run` was ended before it could record it"))),
            (
                gap(Gap::Stream { descriptor: 0, kind: StreamKind::Pipe }),
                'C',
                Some(text("standard input came from a pipe")),
            ),
            (gap(not_read), 'C', Some(text("read `a.csv`, which is not kept: it is not there any more"))),
            (
                gap(Gap::NotWritten { path: "/m.bin".into(), why: "no room".into() }),
                'C',
                Some(text("wrote `/m.bin`, which is not kept: no room")),
            ),
        ];
        for (capture, grade, why) in table {
            let found = Hermetic::of(&capture, &[input("a.csv", false)]);
            assert_eq!((found.grade, found.why(9)), (grade, why), "{capture:?}");
        }
    }

    #[test]
    fn the_weightiest_reasons_come_first_and_the_rest_is_counted() {
        let capture = CaptureSummary { truncated: true, ..hosts(&["9.9.9.9:443", "8.8.8.8:443"]) };
        let found = Hermetic::of(&capture, &[input("state.csv", true)]);
        assert_eq!(found.grade, 'D');
        let why = found.why(2).unwrap();
        assert_eq!(why, "its list of files was cut; contacted 9.9.9.9:443; and 2 more");
        assert_eq!(found.why(4).unwrap().matches(';').count(), 3);
        let hidden: Vec<bool> = found.reasons.iter().map(Reason::may_hide_inputs).collect();
        assert_eq!(hidden, [true, false, false, false]);
    }
}
