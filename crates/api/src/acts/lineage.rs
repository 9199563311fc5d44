//! The family tree around a thing, what depends on it, and connections that people declare.

use stemma_core::name::ProjectName;

use crate::types::*;

acts! {
    SHOW as lineage: GET /projects/{project: ProjectName}/lineage ? AskLineage => Lineage,
        Read in Project at any time, Heavy, "what a thing was made from, or what was made from it";
    /// What depends on a thing, or on a package as in `numpy==2.1.0`.
    IMPACT as impact: GET /projects/{project: ProjectName}/impact ? AskImpact => Impact,
        Read in Project, Heavy, "runs, versions, revisions and predictions that depend on a thing";
    LINK as link: POST /projects/{project: ProjectName}/links, Link => Linked,
        Track in Project, Ordinary, "declare how two things are connected";
    UNLINK as unlink: POST /projects/{project: ProjectName}/links/withdraw, Link => Linked,
        Track in Project, Ordinary, "withdraw a declared connection";
}
