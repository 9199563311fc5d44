//! Whether a model may have been trained on rows that it is evaluated on: what its run's record can't say of it.

pub use crate::record::search::{LeakSearch, SearchOutcome, SearchedInput};
use crate::{hermetic::Reason, record::RunRecord};

impl LeakSearch {
    /// A search of which nothing is known yet but what the run's record can't say.
    pub fn of(run: Option<&RunRecord>) -> Self {
        let unseen = match run {
            None => vec!["no run is known that made the model".to_owned()],
            Some(run) => {
                let reasons = run.hermetic().reasons;
                let hides = reasons.into_iter().filter(Reason::may_hide_inputs);
                hides.map(|reason| format!("of the run that made the model: {reason}")).collect()
            }
        };
        Self { inputs: Vec::new(), unseen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_run_nothing_is_known() {
        let doubt = LeakSearch::of(None).doubt("test@1").unwrap();
        assert_eq!(doubt, "what it was trained on is not known to be all (no run is known that made the model)");
    }
}
