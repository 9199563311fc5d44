//! Projects.

use stemma_core::name::ProjectName;

use crate::types::*;

acts! {
    LIST as projects: GET /projects ? Paging<ProjectName> => Page<Project>,
        Read in Somewhere at any time, Ordinary, "all projects that the caller may read";
    CREATE as create_project: POST /projects, CreateProject => Project,
        Create in Home, Ordinary, "make a project";
    SHOW as project: GET /projects/{project: ProjectName} => Project,
        Read in Project at any time, Ordinary, "a project: who made it, and whether it is closed";
    CLOSE as close_project: POST /projects/{project: ProjectName}/close, WhyProject => Project,
        ManageRights in Project, Ordinary, "let nothing in a project change any more";
    REOPEN as reopen_project: POST /projects/{project: ProjectName}/reopen, WhyProject => Project,
        ManageRights in Project, Ordinary, "let a closed project change again";
}
