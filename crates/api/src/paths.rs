//! Every path of `/api/v1`, written once: the server's route patterns and what the client asks.
//!
//! Client functions percent-encode what they insert; names pass through the server's single decoding.

use std::fmt::Display;

pub const HOME: &str = "/api/v1/home";
pub const HOME_HISTORY: &str = "/api/v1/home/history";
pub const PRINCIPALS: &str = "/api/v1/principals";
pub const TOKENS: &str = "/api/v1/tokens";
pub const REVOCATIONS: &str = "/api/v1/revocations";
pub const AUDIT_EVENTS: &str = "/api/v1/audit/events";
pub const AUDIT_VERIFY: &str = "/api/v1/audit/verify";
pub const AUDIT_CHECKPOINT: &str = "/api/v1/audit/checkpoint";
pub const AUDIT_ACCEPT: &str = "/api/v1/audit/accept";
pub const AUDIT_KEY: &str = "/api/v1/audit/key";
pub const AUDIT_CONTENT: &str = "/api/v1/audit/content";
pub const WITNESS_HEADS: &str = "/api/v1/witness/heads";
pub const OPENAPI: &str = "/api/v1/openapi.json";

/// Server route patterns.
pub mod pattern {
    pub const CONTENT: &str = "/api/v1/projects/{project}/content/{digest}";
    pub const CONTENT_MISSING: &str = "/api/v1/projects/{project}/content/missing";
    pub const CONTENT_CLAIM: &str = "/api/v1/projects/{project}/content/claim";
    pub const CONTENT_UPLOAD: &str = "/api/v1/projects/{project}/content/upload";
    pub const CONTENT_DOWNLOAD: &str = "/api/v1/projects/{project}/content/download";
    pub const CONTENT_KEEP: &str = "/api/v1/projects/{project}/content/keep";
    pub const CONTENT_VERSIONS: &str = "/api/v1/projects/{project}/content/versions";
    pub const CONTENT_ROWS: &str = "/api/v1/projects/{project}/content/{digest}/rows";
    pub const CONTENT_USAGE: &str = "/api/v1/projects/{project}/content/usage";
    pub const CONTENT_COLLECT: &str = "/api/v1/projects/{project}/content/collect";
    pub const CONTENT_PURGE: &str = "/api/v1/projects/{project}/content/purge";
    pub const RESOLVE: &str = "/api/v1/projects/{project}/resolve";
    pub const DATASETS: &str = "/api/v1/projects/{project}/datasets";
    pub const DATASET_VERSIONS: &str = "/api/v1/projects/{project}/datasets/{dataset}/versions";
    pub const EXTERNAL: &str = "/api/v1/projects/{project}/datasets/{dataset}/external";
    pub const IMPORTED: &str = "/api/v1/projects/{project}/datasets/{dataset}/imported";
    pub const BLAME: &str = "/api/v1/projects/{project}/datasets/{dataset}/blame";
    pub const LINEAGE: &str = "/api/v1/projects/{project}/lineage";
    pub const IMPACT: &str = "/api/v1/projects/{project}/impact";
    pub const LINKS: &str = "/api/v1/projects/{project}/links";
    pub const UNLINK: &str = "/api/v1/projects/{project}/links/withdraw";
    pub const RUNS: &str = "/api/v1/projects/{project}/runs";
    pub const RUN: &str = "/api/v1/projects/{project}/runs/{run}";
    pub const MODELS: &str = "/api/v1/projects/{project}/models";
    pub const MODEL: &str = "/api/v1/projects/{project}/models/{model}";
    pub const POLICY: &str = "/api/v1/projects/{project}/models/{model}/policy";
    pub const POLICIES: &str = "/api/v1/projects/{project}/policies";
    pub const VERSIONS: &str = "/api/v1/projects/{project}/models/{model}/versions";
    pub const VERSION: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}";
    pub const REPRODUCTIONS: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/reproductions";
    pub const EVALUATE: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/evaluate";
    pub const GATES: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/gates";
    pub const CASES: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/cases";
    pub const VALIDATE: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/validate";
    pub const APPROVE: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/approve";
    pub const PROMOTE: &str = "/api/v1/projects/{project}/models/{model}/versions/{version}/promote";
    pub const ENDPOINTS: &str = "/api/v1/projects/{project}/endpoints";
    pub const ENDPOINT: &str = "/api/v1/projects/{project}/endpoints/{endpoint}";
    pub const REVISIONS: &str = "/api/v1/projects/{project}/endpoints/{endpoint}/revisions";
    pub const REVISION: &str = "/api/v1/projects/{project}/endpoints/{endpoint}/revisions/{number}";
    pub const ROLLOUT: &str = "/api/v1/projects/{project}/endpoints/{endpoint}/rollout";
    pub const ROLLBACK: &str = "/api/v1/projects/{project}/endpoints/{endpoint}/rollback";
    pub const UNDEPLOY: &str = "/api/v1/projects/{project}/endpoints/{endpoint}/undeploy";
    pub const COMPARE: &str = "/api/v1/projects/{project}/compare";
    pub const WITNESS_HEAD: &str = "/api/v1/witness/heads/{home}";
    pub const PREDICTION: &str = "/api/v1/predictions/{prediction}";
    pub const REPLAY: &str = "/api/v1/predictions/{prediction}/replay";
    pub const FEEDBACK: &str = "/api/v1/predictions/{prediction}/feedback";
}

/// Fills a pattern's `{…}` in order, percent-encoding each value.
pub fn fill(pattern: &str, values: &[&dyn Display]) -> String {
    let mut values = values.iter();
    let mut path = String::with_capacity(pattern.len() + 32);
    for segment in pattern.split('/').skip(1) {
        path.push('/');
        match values.as_slice().first() {
            Some(value) if segment.starts_with('{') => {
                path.push_str(&encode(&value.to_string()));
                values.next();
            }
            _ => path.push_str(segment),
        }
    }
    path
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_in_order() {
        let path = fill(pattern::VERSION, &[&"default", &"a b/ü", &"1.0.0"]);
        assert_eq!(path, "/api/v1/projects/default/models/a%20b%2F%C3%BC/versions/1.0.0");
    }
}
