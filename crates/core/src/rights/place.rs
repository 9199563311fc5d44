//! Where an action is done, as far as rights tell places apart.

use crate::name::{EndpointName, ProjectName};

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The whole home: a right in one of its projects is not enough.
    Home,
    Project(&'a ProjectName),
    Endpoint(&'a ProjectName, &'a EndpointName),
}

impl<'a> Place<'a> {
    pub const fn project(self) -> Option<&'a ProjectName> {
        match self {
            Self::Home => None,
            Self::Project(project) | Self::Endpoint(project, _) => Some(project),
        }
    }

    pub const fn endpoint(self) -> Option<&'a EndpointName> {
        match self {
            Self::Home | Self::Project(_) => None,
            Self::Endpoint(_, endpoint) => Some(endpoint),
        }
    }
}
