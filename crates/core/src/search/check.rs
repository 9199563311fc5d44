//! Whether a query asks what things of a realm can have.

use super::{
    field::{Realm, Section},
    query::{Key, Query, Term},
};
use crate::{Problem, meaning::Aspect};

impl Query {
    /// Refuses a condition that nothing of the realm could meet.
    pub fn check(&self, realm: Realm) -> Result<(), Problem> {
        match self.terms().into_iter().find(|term| !is_in(term, realm)) {
            None => Ok(()),
            Some(term) => {
                let message = format!("{} have nothing of which `{term}` could be said", realm.as_str());
                let others = Realm::ALL.into_iter().filter(|other| is_in(term, *other));
                let others: Vec<String> = others.map(|other| format!("`--in {}`", other.as_str())).collect();
                Err(Problem::invalid(message).hint(format!("it is asked of {}", others.join(" or "))))
            }
        }
    }
}

fn is_in(term: &Term, realm: Realm) -> bool {
    match term {
        Term::Compare { key: Key::Field(field), .. } => field.is_in(realm),
        Term::Compare { key: Key::Of(section, _), .. } | Term::Has { section, .. } => section.is_in(realm),
        Term::Compare { key: Key::Named(_), .. } => Section::Metrics.is_in(realm),
        Term::Input(_) | Term::Output(_) | Term::TrainedOn { .. } | Term::Package { .. } => realm != Realm::Datasets,
        Term::Said(aspect) => match aspect {
            Aspect::BaseModel | Aspect::Card => realm == Realm::Versions,
            _ => realm != Realm::Runs,
        },
        Term::Text(_) => true,
    }
}
