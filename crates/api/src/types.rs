//! Request and response bodies of `/api/v1`, by noun. Pages are drawn from the same structs.

mod access;
mod approval;
mod as_of;
mod asked;
mod audit;
mod card;
mod care;
mod compare;
mod compare_predictions;
mod compare_several;
mod content;
mod content_check;
mod dataset;
mod decision;
mod endpoint;
mod fact;
mod gate;
mod head;
mod home;
mod lineage;
mod meaning;
mod mock;
mod model;
mod names;
mod page;
mod policy;
mod prediction;
mod profile;
mod project;
mod quarantine;
mod registry;
mod report;
mod reproduction;
mod request;
mod rights;
mod run;
mod search;
mod version;
mod witness;

pub use stemma_core::audit::AuditReport;

pub use self::{
    access::*, approval::*, as_of::*, audit::*, card::*, care::*, compare::*, compare_predictions::*,
    compare_several::*, content::*, content_check::*, dataset::*, decision::*, endpoint::*, fact::*, gate::*, head::*,
    home::*, lineage::*, meaning::*, mock::*, model::*, names::*, page::*, policy::*, prediction::*, profile::*,
    project::*, quarantine::*, registry::*, report::*, reproduction::*, request::*, rights::*, run::*, search::*,
    version::*, witness::*,
};
