//! Every act of `/api/v1`, by noun: each is declared once, and the client's method, the server's route, its check of rights
//! and the API's description follow from that line.

/// Declares acts of the API.
macro_rules! acts {
    ($($acts:tt)*) => {
        $crate::declare! { "/api/v1"; $($acts)* }
    };
}

pub mod audit;
pub mod content;
pub mod dataset;
pub mod decision;
pub mod endpoint;
pub mod home;
pub mod lineage;
pub mod meaning;
pub mod model;
pub mod prediction;
pub mod project;
pub mod registry;
pub mod rights;
pub mod run;
pub mod version;
pub mod witness;

use crate::act::Declaration;

/// All acts, in the order in which they are described.
pub fn all() -> impl Iterator<Item = &'static Declaration> {
    let nouns = [
        home::ALL,
        project::ALL,
        content::ALL,
        dataset::ALL,
        run::ALL,
        lineage::ALL,
        model::ALL,
        version::ALL,
        meaning::ALL,
        decision::ALL,
        registry::ALL,
        endpoint::ALL,
        prediction::ALL,
        rights::ALL,
        audit::ALL,
        witness::ALL,
    ];
    nouns.into_iter().flatten().copied()
}
