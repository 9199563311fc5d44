//! What a registration must bring.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Refusal, meaning::Aspect, name::ModelName};

/// `[model.<name>.require]` of `stemma.toml`: what must be there before a version gets a number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    #[serde(default, skip_serializing_if = "is_no")]
    pub description: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub owner: bool,
    #[serde(default, alias = "license", skip_serializing_if = "is_no")]
    pub licence: bool,
    #[serde(default, skip_serializing_if = "is_no")]
    pub intended_use: bool,
    /// An evaluation is declared, and was made of what is registered.
    #[serde(default, skip_serializing_if = "is_no")]
    pub evaluation: bool,
    /// A run wrote it, and was captured at this level at least: 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<u8>,
    /// That run kept a lock file of its packages.
    #[serde(default, skip_serializing_if = "is_no")]
    pub pinned_environment: bool,
}

/// The highest level of a capture.
pub const CAPTURE_LEVEL_MAX: u8 = 4;

const fn is_no(required: &bool) -> bool {
    !*required
}

/// What a registration brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// What is said of the model.
    pub said: BTreeSet<Aspect>,
    /// Why there is no evaluation, if there is none.
    pub evaluation: Result<(), String>,
    /// The run that wrote it, if one is known.
    pub run: Option<BroughtRun>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtRun {
    pub capture_level: u8,
    /// Why its environment is not pinned, or can't be known to be.
    pub pinned_environment: Result<(), String>,
}

impl Requirements {
    /// Whether anything is required.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Says what can't be required.
    pub fn check(&self) -> Result<(), String> {
        match self.capture {
            Some(level) if !(1..=CAPTURE_LEVEL_MAX).contains(&level) => {
                Err(format!("`capture = {level}` is no level: levels are 1 to {CAPTURE_LEVEL_MAX}"))
            }
            _ => Ok(()),
        }
    }

    fn said(&self) -> impl Iterator<Item = Aspect> {
        let required = [
            (self.description, Aspect::Description),
            (self.owner, Aspect::Owner),
            (self.licence, Aspect::Licence),
            (self.intended_use, Aspect::IntendedUse),
        ];
        required.into_iter().filter(|(is_required, _)| *is_required).map(|(_, aspect)| aspect)
    }
}

/// Lets a version of a model be registered, or says all that it lacks and how each of that is brought.
pub fn decide_registration(model: &ModelName, required: &Requirements, brought: &Brought) -> Result<(), Refusal> {
    let unsaid = required.said().filter(|aspect| !brought.said.contains(aspect));
    let mut missing: Vec<String> = unsaid.map(|aspect| how_to_say(model, aspect)).collect();
    if required.evaluation
        && let Err(why) = &brought.evaluation
    {
        missing.push(format!("an evaluation: {why}; declare one that can be made in `[model.{model}.evaluation]`"));
    }
    missing.extend(required.capture.and_then(|level| lacking_capture(level, brought.run.as_ref())));
    if required.pinned_environment {
        missing.extend(lacking_pins(brought.run.as_ref()));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => {
            let refusal = Refusal::new(format!("a version of `{model}` must bring what this one lacks"));
            let hint = format!("`stemma policy show {model}` has what is required, under `require`");
            Err(refusal.missing(missing).hint(hint))
        }
    }
}

fn how_to_say(model: &ModelName, aspect: Aspect) -> String {
    let (option, member) = (aspect.as_str().replace('_', "-"), aspect.as_str());
    format!(
        "{} of the model: `stemma describe model:{model} --{option} …`, or `{member}` in `[model.{model}]`",
        aspect.title()
    )
}

fn lacking_capture(level: u8, run: Option<&BroughtRun>) -> Option<String> {
    let found = match run {
        None => "no recorded run wrote it".to_owned(),
        Some(run) if run.capture_level < level => format!("its run was captured at level {}", run.capture_level),
        Some(_) => return None,
    };
    Some(format!("a run captured at level {level} or above: {found}; train it with `stemma run -- …`"))
}

fn lacking_pins(run: Option<&BroughtRun>) -> Option<String> {
    let found = match run {
        None => "no recorded run wrote it",
        Some(BroughtRun { pinned_environment: Err(why), .. }) => why,
        Some(_) => return None,
    };
    Some(format!(
        "a pinned environment: {found}; put a lock file of its packages (`uv.lock`, `requirements.txt`) into the project and \
         train it with `stemma run -- …`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Requirements {
        Requirements {
            description: true,
            owner: true,
            licence: true,
            intended_use: true,
            evaluation: true,
            capture: Some(3),
            pinned_environment: true,
        }
    }

    fn whole() -> Brought {
        Brought {
            said: [Aspect::Description, Aspect::Owner, Aspect::Licence, Aspect::IntendedUse].into(),
            evaluation: Ok(()),
            run: Some(BroughtRun { capture_level: 3, pinned_environment: Ok(()) }),
        }
    }

    fn missing(required: &Requirements, brought: &Brought) -> Vec<String> {
        let refused = decide_registration(&"m".parse().unwrap(), required, brought).err();
        refused.map(|refusal| refusal.missing).unwrap_or_default()
    }

    #[test]
    fn what_is_brought_is_enough_and_what_is_not_required_may_lack() {
        assert_eq!(missing(&all(), &whole()), [""; 0]);
        let nothing = Brought { said: BTreeSet::new(), evaluation: Err(String::new()), run: None };
        assert_eq!(missing(&Requirements::default(), &nothing), [""; 0]);
    }

    #[test]
    fn all_that_lacks_is_told_at_once_with_how_to_bring_it() {
        let nothing = Brought { said: BTreeSet::new(), evaluation: Err("no evaluation is declared".into()), run: None };
        let told = missing(&all(), &nothing);
        assert_eq!(told.len(), 7);
        for (line, words) in told.iter().zip([
            "description of the model: `stemma describe model:m --description …`, or `description` in `[model.m]`",
            "--owner",
            "--licence",
            "--intended-use …`, or `intended_use` in",
            "an evaluation: no evaluation is declared; declare one",
            "level 3 or above: no recorded run wrote it; train it with `stemma run",
            "a pinned environment: no recorded run wrote it",
        ]) {
            assert!(line.contains(words), "{line}");
        }
    }

    #[test]
    fn each_is_looked_at_for_itself() {
        for (change, word) in [
            ((|one| one.said.retain(|aspect| *aspect != Aspect::Owner)) as fn(&mut Brought), "owner"),
            (|one| one.evaluation = Err("its rows are gone".into()), "its rows are gone"),
            (|one| one.run.as_mut().unwrap().capture_level = 2, "captured at level 2"),
            (|one| one.run.as_mut().unwrap().pinned_environment = Err("it has none".into()), "it has none"),
        ] {
            let mut brought = whole();
            change(&mut brought);
            let told = missing(&all(), &brought);
            assert!(told.len() == 1 && told[0].contains(word), "{told:?}");
        }
        let lowest = Requirements { capture: Some(1), ..Requirements::default() };
        assert_eq!(missing(&lowest, &whole()), [""; 0]);
        assert!(lowest.check().is_ok());
        assert!(Requirements { capture: Some(5), ..Requirements::default() }.check().is_err());
        assert!(Requirements { capture: Some(0), ..Requirements::default() }.check().is_err());
    }
}
