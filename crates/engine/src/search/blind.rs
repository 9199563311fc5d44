//! What a search can't see of what it is asked.

use stemma_core::{
    Problem,
    search::{Key, Realm, Section, Term},
};
use stemma_ledger::Blind;

use super::question::Question;
use crate::{Known, problem::ledger_problem};

/// What of a version a question looks at.
#[derive(Default)]
struct Looks {
    at_metrics: bool,
    at_runs: bool,
    at_contracts: bool,
}

/// Of how many versions something is not known that is asked, one line each.
pub async fn reasons(known: &Known, question: &Question) -> Result<Vec<String>, Problem> {
    let looks = Looks::of(question);
    if question.realm != Realm::Versions || !(looks.at_metrics || looks.at_runs || looks.at_contracts) {
        return Ok(Vec::new());
    }
    let blind = known.facts().search_blind(&question.projects).await.map_err(ledger_problem)?;
    let lines = [
        (
            looks.at_metrics,
            blind.unmeasured,
            "evaluated before the ledger was told metrics: none are found; `stemma evaluate` does it anew",
        ),
        (looks.at_runs, blind.without_run, "of no known run: what a run would tell is not known"),
        (looks.at_contracts, blind.without_contract, "of no known contract: what they take and give is not known"),
    ];
    let is_told = |(asked, number, _): &&(bool, u64, &str)| *asked && *number > 0;
    Ok(lines.iter().filter(is_told).map(|(_, number, what)| format!("{} {what}", versions(*number))).collect())
}

fn versions(number: u64) -> String {
    match number {
        1 => "1 version is".to_owned(),
        number if number > Blind::MAX => format!("more than {} versions are", Blind::MAX),
        number => format!("{number} versions are"),
    }
}

impl Looks {
    fn of(question: &Question) -> Self {
        let mut looks = Self { at_contracts: question.row.is_some(), ..Self::default() };
        looks.at_key(&question.order.by);
        for term in question.query.iter().flat_map(|query| query.terms()) {
            match term {
                Term::Compare { key, .. } => looks.at_key(key),
                Term::Has { section, name } => looks.at_key(&Key::Of(*section, name.clone())),
                Term::Input(_) | Term::Output(_) => looks.at_contracts = true,
                Term::TrainedOn { .. } | Term::Package { .. } => looks.at_runs = true,
                // what is said is all in the ledger
                Term::Said(_) | Term::Text(_) => {}
            }
        }
        looks
    }

    fn at_key(&mut self, key: &Key) {
        match key {
            Key::Field(_) | Key::Of(Section::Gates | Section::Tags, _) => {}
            Key::Of(Section::Metrics, _) | Key::Named(_) => self.at_metrics = true,
            Key::Of(Section::Params | Section::Claimed, _) => self.at_runs = true,
        }
    }
}
