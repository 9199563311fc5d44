//! Endpoints: what is declared of them, what answers for whom, and what is kept of each request.

pub mod declaration;
pub mod feedback;
pub mod graph;
pub mod overrule;
pub mod prediction;
pub mod revision;
pub mod route;
pub mod search;
pub mod source;
pub mod target;
