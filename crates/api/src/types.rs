//! Request and response bodies of `/api/v1`, by noun. Pages are drawn from the same structs.

mod as_of;
mod asked;
mod audit;
mod care;
mod compare;
mod compare_predictions;
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
mod model;
mod page;
mod policy;
mod prediction;
mod registry;
mod report;
mod reproduction;
mod rights;
mod run;
mod search;
mod version;
mod witness;

pub use stemma_core::audit::AuditReport;

pub use self::{
    as_of::*, audit::*, care::*, compare::*, compare_predictions::*, content::*, content_check::*, dataset::*,
    decision::*, endpoint::*, fact::*, gate::*, head::*, home::*, lineage::*, model::*, page::*, policy::*,
    prediction::*, registry::*, report::*, reproduction::*, rights::*, run::*, search::*, version::*, witness::*,
};
