//! Predictions that are looked for, and those that were found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    endpoint::prediction::{Hex, LoggedTensor, PredictionId},
    name::{EndpointName, PrincipalName},
};

use super::{
    asked::{given, written},
    page::Limit,
};
use crate::act::Query;

/// Which predictions of a project are looked for. Whatever is said must hold; what is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindPredictions {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// Whose requests, as in `customer-29`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The caller's own id of the request.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The id of a trace: 32 digits of base 16.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub trace: Option<Hex<16>>,
    /// From this time on: a date, or a time as in `2026-03-01T12:00:00Z`.
    #[serde(default, with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Up to this time: of a date, to the end of the day in UTC.
    #[serde(
        default,
        deserialize_with = "written::last",
        serialize_with = "written::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// A version that a step asked, as in `credit-score@1.2.0`, or its digest.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Only requests that failed or were refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// A condition on inputs, outputs and columns of the record, as in `limit < 3000 and inputs.housing = 'rent'`.
    #[serde(default, rename = "where", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What the page before gave as `next`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default)]
    pub limit: Limit<50>,
}

impl Query for FindPredictions {
    const EXAMPLE: &'static str = "unit=customer-29&since=2026-03-01&where=limit < 3000&limit=20";
}

/// `GET …/predictions`: those that were found, newest first: by the segments of the log, which follow each other in time, and
/// in a segment by their times. What was made elsewhere stands in the segment in which it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPredictions {
    pub items: Vec<FoundPrediction>,
    /// Goes into `cursor` as it is; absent once everything was looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub searched: Searched,
    /// Why there may be more than was found here and behind `next`, one line each; empty if everything could be read.
    #[serde(default)]
    pub reasons: Vec<String>,
}

impl FoundPredictions {
    /// Adds the page that comes behind this one.
    pub fn append(&mut self, more: Self) {
        self.items.extend(more.items);
        self.next = more.next;
        self.searched.add(more.searched);
        self.reasons
            .extend(more.reasons.into_iter().filter(|reason| !self.reasons.contains(reason)).collect::<Vec<_>>());
    }

    /// Whether all that was looked for was found, here or on the pages before.
    pub fn is_complete(&self) -> bool {
        self.next.is_none() && self.reasons.is_empty()
    }
}

/// What was looked through for one page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Searched {
    /// Endpoints whose log was asked.
    pub endpoints: u64,
    /// Segments of the log that are not sealed yet.
    pub segments: u64,
    /// Sealed files that were come to.
    pub files: u64,
    /// Those of them that hold nothing of the time in question, as the ledger knows.
    pub files_of_other_times: u64,
    /// Those that their own statistics and filters ruled out.
    pub files_ruled_out: u64,
    /// Those that had to be read because they are from before there were filters.
    pub files_without_filters: u64,
    /// Rows of which some columns were read.
    pub rows: u64,
    /// Predictions that were read whole.
    pub records: u64,
    /// The page is not full: there was too much to look through. `next` goes on where this stopped.
    pub stopped: bool,
    /// All that was recorded since then was looked through; absent if it was to the log's beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<Timestamp>,
}

impl Searched {
    fn add(&mut self, more: Self) {
        // what is not sealed yet stands before everything else
        self.segments = self.segments.max(more.segments);
        self.files += more.files;
        self.files_of_other_times += more.files_of_other_times;
        self.files_ruled_out += more.files_ruled_out;
        self.files_without_filters += more.files_without_filters;
        self.rows += more.rows;
        self.records += more.records;
        self.stopped = more.stopped;
        self.back_to = more.back_to;
    }
}

/// A prediction as it is listed; `why` has all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundPrediction {
    pub prediction: PredictionId,
    pub time: Timestamp,
    pub endpoint: EndpointName,
    pub revision: u32,
    pub caller: PrincipalName,
    /// Whose request it was; absent if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Hex<16>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// What the steps asked, as in `credit-score@1.1.0`.
    pub asked: Vec<String>,
    /// `answered`, `failed` or `refused`.
    pub status: String,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was reported, if it was made elsewhere: it stands there in the order, and not where it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    pub inputs: Vec<LoggedTensor>,
    pub outputs: Vec<LoggedTensor>,
    /// Inputs and outputs that are too long for a list, as in `inputs.image`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Overrides that changed the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    pub latency_us: u64,
}
