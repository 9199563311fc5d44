//! Where things of a realm stand in the database.

use stemma_core::search::{Field, Realm, Section};

use crate::{
    query::view::Reading,
    row::search::{CLAIMED, GATE, METRIC, PARAM},
};

/// The tables of a realm, as statements name them; its things are `e`, its facts `f`.
pub struct Shelf {
    pub realm: Realm,
    /// `search_entry e`, or that of runs.
    pub things: &'static str,
    pub facts: &'static str,
    /// What must hold of `e`, and of `f`, whatever is looked for.
    pub is_thing: String,
    pub is_fact: String,
    /// The same of facts that are found by their thing: the indexes on what they say lead a longer way to them.
    pub is_fact_of_thing: String,
}

/// Whose fact something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The thing's own.
    Own,
    /// The run's that made it.
    Run,
}

impl Shelf {
    pub fn of(realm: Realm, read: &Reading) -> Self {
        match realm {
            Realm::Versions | Realm::Datasets => Self {
                realm,
                things: "search_entry e",
                facts: "search_fact f",
                is_thing: format!("e.realm = '{}' AND {}", realm.as_str(), read.holds("e")),
                is_fact: read.holds("f"),
                is_fact_of_thing: read.holds(&read.session.unindexed("f")),
            },
            Realm::Runs => Self {
                realm,
                things: "search_run e",
                facts: "search_run_fact f",
                is_thing: "e.id > 0".to_owned(),
                is_fact: "f.id > 0".to_owned(),
                is_fact_of_thing: "f.id > 0".to_owned(),
            },
        }
    }

    /// The column of a field; nothing of one that is no column.
    pub const fn column(&self, field: Field) -> Option<&'static str> {
        match (field, self.realm) {
            (Field::Alias | Field::Owner | Field::Licence | Field::BaseModel, _) => None,
            (Field::Project, _) => Some("e.project"),
            (Field::Name, _) => Some("e.name"),
            (Field::Version, _) => Some("e.version"),
            (Field::Stage, _) => Some("e.stage"),
            (Field::Format, _) => Some("e.format"),
            (Field::By, _) => Some("e.registrant"),
            (Field::Registered, _) => Some("e.registered"),
            (Field::Run, _) => Some("e.run"),
            (Field::Digest, _) => Some("e.digest"),
            (Field::Status, _) => Some("e.status"),
            (Field::Kind, _) => Some("e.kind"),
        }
    }

    /// Whether an index leads from a value of a field to the things that have it.
    pub const fn is_indexed(&self, field: Field) -> bool {
        match self.realm {
            Realm::Versions | Realm::Datasets => matches!(field, Field::Name | Field::Stage | Field::By | Field::Run),
            Realm::Runs => matches!(field, Field::By | Field::Run),
        }
    }

    /// Where facts of a section are kept, and under which kind; the first that there is counts in an order.
    pub const fn places(&self, section: Section) -> &'static [(Whose, &'static str)] {
        match (self.realm, section) {
            (Realm::Versions | Realm::Datasets, Section::Metrics) => &[(Whose::Own, METRIC)],
            (Realm::Versions | Realm::Datasets, Section::Params) => &[(Whose::Own, PARAM), (Whose::Run, PARAM)],
            (Realm::Versions | Realm::Datasets, Section::Claimed) => &[(Whose::Own, CLAIMED), (Whose::Run, METRIC)],
            (Realm::Versions | Realm::Datasets, Section::Gates) => &[(Whose::Own, GATE)],
            (Realm::Runs, Section::Metrics) => &[(Whose::Own, METRIC)],
            (Realm::Runs, Section::Params) => &[(Whose::Own, PARAM)],
            (Realm::Runs, Section::Claimed | Section::Gates) | (_, Section::Tags) => &[],
        }
    }

    /// What is counted in facets, with the columns.
    pub const fn facets(&self) -> [(Field, &'static str); 4] {
        match self.realm {
            Realm::Versions | Realm::Datasets => [
                (Field::Project, "e.project"),
                (Field::Stage, "e.stage"),
                (Field::Format, "e.format"),
                (Field::By, "e.registrant"),
            ],
            Realm::Runs => [
                (Field::Project, "e.project"),
                (Field::Status, "e.status"),
                (Field::Kind, "e.kind"),
                (Field::By, "e.registrant"),
            ],
        }
    }
}
