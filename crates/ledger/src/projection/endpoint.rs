//! Endpoints, their revisions, and the sealed parts of their prediction logs.

use stemma_core::{
    Digest,
    event::SegmentSealed,
    name::{EndpointName, ProjectName},
    route::Revision,
};

use super::{Rows, json};
use crate::{LedgerError, sql::Value};

pub(super) async fn created(
    rows: &mut Rows<'_>,
    project: &ProjectName,
    endpoint: &EndpointName,
    ordinal: u16,
) -> Result<(), LedgerError> {
    rows.insert(
        "INSERT INTO endpoint (endpoint, project, ordinal, from_seq) VALUES ($2, $3, $4, $1)",
        [Value::text(endpoint), Value::text(project), Value::Int(ordinal.into())],
    )
    .await
}

pub(super) async fn deployed(
    rows: &mut Rows<'_>,
    revision: &Revision,
    digest: Digest,
    reason: &str,
) -> Result<(), LedgerError> {
    let endpoint = Value::text(&revision.endpoint);
    let number = Value::from(revision.number);
    // the first revision ends none
    rows.run("UPDATE revision SET to_seq = $1 WHERE to_seq IS NULL AND endpoint = $2", [endpoint.clone()]).await?;
    rows.run("UPDATE revision_target SET to_seq = $1 WHERE to_seq IS NULL AND endpoint = $2", [endpoint.clone()])
        .await?;
    let values = [
        endpoint.clone(),
        number.clone(),
        Value::text(&revision.project),
        digest.into(),
        json(revision)?,
        reason.into(),
    ];
    rows.insert(
        "INSERT INTO revision (endpoint, number, project, digest, revision, reason, from_seq)
         VALUES ($2, $3, $4, $5, $6, $7, $1)",
        values,
    )
    .await?;
    for (place, target) in revision.route.targets().into_iter().enumerate() {
        let values = [
            endpoint.clone(),
            number.clone(),
            Value::count(place as u64)?,
            Value::text(&revision.project),
            Value::text(&target.model),
            Value::text(target.version),
            target.digest.into(),
        ];
        rows.insert(
            "INSERT INTO revision_target (endpoint, number, place, project, model, version, digest, from_seq)
             VALUES ($2, $3, $4, $5, $6, $7, $8, $1)",
            values,
        )
        .await?;
    }
    Ok(())
}

pub(super) async fn sealed(rows: &mut Rows<'_>, sealed: &SegmentSealed) -> Result<(), LedgerError> {
    let values = [
        segment_value(sealed.segment),
        Value::Int(sealed.ordinal.into()),
        sealed.first_row.into(),
        sealed.last_row.into(),
        Value::text(&sealed.project),
        Value::text(&sealed.endpoint),
        Value::Int(sealed.day.into()),
        Value::count(sealed.rows)?,
        sealed.first_time.into(),
        sealed.last_time.into(),
        sealed.digest.into(),
        Value::count(sealed.size)?,
    ];
    rows.insert(
        "INSERT INTO log_part (segment, ordinal, first_row, last_row, project, endpoint, day, row_count, first_time,
            last_time, digest, size, from_seq) VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $1)",
        values,
    )
    .await
}

/// Segment ids use all 64 bits; the column keeps the bits.
pub(crate) const fn segment_value(segment: u64) -> Value {
    Value::Int(segment.cast_signed())
}
