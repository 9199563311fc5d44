//! How much a route asks of the server.

use http::Method;
use stemma_api::paths::{self, pattern};

use super::Route;
use crate::href;

/// Which turns a request needs, see [`crate::admission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Answered from memory, whatever else goes on.
    Free,
    /// Reads or writes a few facts.
    Ordinary,
    /// Takes or sends content, for as long as its client needs.
    Transfer,
    /// Computes for long, or reads much.
    Heavy,
}

/// Free, transferring and heavy routes; all others are ordinary. Deploying and rolling back are: whoever has to take a
/// bad model away does not wait for somebody's evaluation.
const WEIGHTS: [(Method, &str, Weight); 34] = {
    use Weight::{Free, Heavy, Transfer};
    [
        (Method::GET, "/health", Free),
        (Method::GET, "/health/ready", Free),
        (Method::GET, href::pattern::STYLE, Free),
        (Method::GET, paths::OPENAPI, Free),
        (Method::PUT, pattern::CONTENT, Transfer),
        (Method::GET, pattern::CONTENT, Transfer),
        (Method::GET, pattern::CONTENT_ROWS, Transfer),
        (Method::POST, pattern::CONTENT_UPLOAD, Transfer),
        (Method::POST, pattern::CONTENT_DOWNLOAD, Transfer),
        (Method::POST, pattern::CONTENT_MISSING, Transfer),
        (Method::POST, pattern::CONTENT_CLAIM, Transfer),
        (Method::POST, pattern::CONTENT_KEEP, Transfer),
        (Method::POST, pattern::RUNS, Transfer),
        (Method::GET, pattern::CONTENT_USAGE, Heavy),
        (Method::POST, pattern::CONTENT_COLLECT, Heavy),
        (Method::POST, pattern::CONTENT_PURGE, Heavy),
        (Method::POST, pattern::CONTENT_VERSIONS, Heavy),
        (Method::PUT, pattern::POLICY, Heavy),
        (Method::PUT, pattern::POLICIES, Heavy),
        (Method::POST, pattern::VERSIONS, Heavy),
        (Method::POST, pattern::EVALUATE, Heavy),
        (Method::POST, pattern::VALIDATE, Heavy),
        (Method::POST, pattern::GATES, Heavy),
        (Method::POST, pattern::CASES, Heavy),
        (Method::POST, pattern::REPRODUCTIONS, Heavy),
        (Method::GET, pattern::COMPARE, Heavy),
        (Method::GET, href::pattern::COMPARE, Heavy),
        (Method::GET, pattern::BLAME, Heavy),
        (Method::GET, pattern::LINEAGE, Heavy),
        (Method::GET, href::pattern::LINEAGE, Heavy),
        (Method::GET, pattern::IMPACT, Heavy),
        (Method::POST, pattern::REPLAY, Heavy),
        (Method::GET, href::pattern::PREDICTION, Heavy),
        (Method::POST, paths::AUDIT_VERIFY, Heavy),
    ]
};

impl Route {
    pub fn weight(&self) -> Weight {
        let of_route = WEIGHTS.iter().find(|(method, pattern, _)| *method == self.method && *pattern == self.pattern);
        of_route.map_or(Weight::Ordinary, |(.., weight)| *weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_of_a_route() {
        let routes = super::super::all();
        for (method, pattern, _) in &WEIGHTS {
            assert!(routes.iter().any(|route| route.method == *method && route.pattern == *pattern), "{pattern}");
        }
    }
}
