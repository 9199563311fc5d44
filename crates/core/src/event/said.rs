//! Events by which somebody says something of a thing.

use super::Event;
use crate::{
    meaning::{Statement, Thing},
    name::ProjectName,
};

impl Event {
    /// Something is said of a thing, or no longer.
    pub fn described(project: ProjectName, thing: Thing, statement: Statement) -> Self {
        match thing {
            Thing::Project => Self::ProjectDescribed { project, statement },
            Thing::Model(model) => Self::ModelDescribed { project, model, version: None, statement },
            Thing::Version(model, version) => {
                Self::ModelDescribed { project, model, version: Some(version), statement }
            }
            Thing::Dataset(dataset) => Self::DatasetDescribed { project, dataset, statement },
            Thing::Endpoint(endpoint) => Self::EndpointDescribed { project, endpoint, statement },
        }
    }

    /// What is said, and of which thing.
    pub fn said(&self) -> Option<(&ProjectName, Thing, &Statement)> {
        let (project, thing, statement) = match self {
            Self::ProjectDescribed { project, statement } => (project, Thing::Project, statement),
            Self::ModelDescribed { project, model, version: None, statement } => {
                (project, Thing::Model(model.clone()), statement)
            }
            Self::ModelDescribed { project, model, version: Some(version), statement } => {
                (project, Thing::Version(model.clone(), *version), statement)
            }
            Self::DatasetDescribed { project, dataset, statement } => {
                (project, Thing::Dataset(dataset.clone()), statement)
            }
            Self::EndpointDescribed { project, endpoint, statement } => {
                (project, Thing::Endpoint(endpoint.clone()), statement)
            }
            _ => return None,
        };
        Some((project, thing, statement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::Aspect;

    #[test]
    fn what_is_said_of_each_thing_is_read_back() {
        let things = [
            Thing::Project,
            Thing::Model("m".parse().unwrap()),
            Thing::Version("m".parse().unwrap(), "1.2.0".parse().unwrap()),
            Thing::Dataset("d".parse().unwrap()),
            Thing::Endpoint("e".parse().unwrap()),
        ];
        let statement = Statement::new(Aspect::Owner, "risk").unwrap();
        let project = ProjectName::default_project();
        for thing in things {
            let event = Event::described(project.clone(), thing.clone(), statement.clone());
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
            assert_eq!(event.said(), Some((&project, thing, &statement)));
        }
    }

    #[test]
    fn the_stored_form_is_frozen() {
        let text = concat!(
            r#"{"type":"model_described","project":"default","model":"credit-score","version":"1.1.0","#,
            r#""statement":{"aspect":"tag","key":"pii","text":"low"}}"#
        );
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(
            (serde_json::to_string(&event).unwrap(), event.subject()),
            (text.into(), "credit-score@1.1.0".into())
        );
    }
}
