//! Who had a hand in a version or in the rules that let it through: none of them may say yes to it.

use crate::{
    id::RunId,
    name::PrincipalName,
    record::{Actor, Auth},
};

/// Somebody who had a hand in a version, and how their name is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Maker {
    pub actor: Actor,
    pub part: Part,
}

/// What a maker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Registered,
    /// Ran what wrote the version.
    Trained(RunId),
    /// Ran what wrote something that the training read, or what wrote something that that read.
    Prepared(RunId),
    /// Is author or committer of the commit whose code a run had.
    Coded(RunId),
    /// Declared a rule that the version has to keep as it is now.
    Ruled,
}

/// Everybody who made a version, as far as was looked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Makers {
    pub people: Vec<Maker>,
    /// More runs lie behind the version than were looked at.
    pub is_cut: bool,
    /// Whose hand nobody can name, one line each: told with a promotion, which it doesn't keep back.
    pub unknown: Vec<String>,
}

impl Makers {
    /// What somebody had to do with the version, as far as names tell.
    pub fn part_of(&self, person: &PrincipalName) -> Option<Part> {
        self.people.iter().find(|maker| maker.actor.principal.is_same_person(person)).map(|maker| maker.part)
    }

    /// Whether somebody may be one of them, as far as names tell.
    pub fn include(&self, person: &PrincipalName) -> bool {
        self.part_of(person).is_some()
    }

    /// Why it is not proved that an approver is none of them, one line each; empty if it is.
    ///
    /// A name that was only asserted could be the approver's own under another.
    pub fn unproved(&self) -> Vec<String> {
        let unproved = self.people.iter().filter(|maker| maker.actor.auth != Auth::Authenticated);
        let mut lines: Vec<String> = unproved.filter_map(Maker::unproved).collect();
        lines.dedup();
        if self.is_cut {
            lines.push("more runs lie behind it than can be looked at, so who made it is not known".to_owned());
        }
        lines
    }
}

impl Maker {
    fn unproved(&self) -> Option<String> {
        let who = &self.actor.principal;
        let line = match self.part {
            Part::Registered => {
                "it was registered under an unproved name; register it again with a credential".to_owned()
            }
            Part::Trained(run) => format!(
                "it was trained under the unproved name `{who}` in run `{run}`; train it again with a token \
                 (STEMMA_TOKEN) and register that"
            ),
            Part::Prepared(run) => format!(
                "what it was trained on was made under the unproved name `{who}` in run `{run}`; run that and the \
                 training again with a token (STEMMA_TOKEN) and register that"
            ),
            // nobody proves anything to Git: it keeps people from approving, and lets nobody through
            Part::Coded(_) => return None,
            Part::Ruled => {
                format!("its rules were declared under the unproved name `{who}`; apply them with a credential")
            }
        };
        Some(line)
    }
}

impl Part {
    /// What somebody did, as in "`ada` …".
    pub fn in_words(self) -> String {
        match self {
            Self::Registered => "registered it".to_owned(),
            Self::Trained(run) => format!("trained it in run `{run}`"),
            Self::Prepared(run) => format!("made what it was trained on in run `{run}`"),
            Self::Coded(run) => format!("committed the code of run `{run}`"),
            Self::Ruled => "declared the rules that it has to keep".to_owned(),
        }
    }
}
