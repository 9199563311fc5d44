//! Bytes in and out, by digest, per project.

use axum::{body::Body, response::Response};
use futures::TryStreamExt as _;
use http::{HeaderValue, header};
use stemma_api::{
    act::Nothing,
    acts::content,
    bundle::{BUNDLE_BYTES_MAX, Record},
    types::{
        Bytewise, CollectGarbage, ContentList, ContentStored, ContentUsage, ContentVersions, ContentsKept,
        ContentsStored, GarbageCollected, MissingContent, Purge, Purged, Reference, Resolved, Rows, Uploaded,
        UploadedKind,
    },
};
use stemma_core::{ContentId, Digest, ErrorKind, Problem, name::ProjectName, span::Span};
use stemma_engine::NODE_BYTES_MAX;

use crate::{
    body::broke_off,
    call::Call,
    incoming::Incoming,
    peer::Peer,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&content::MISSING, missing),
        route(&content::CLAIM, claim),
        route(&content::USAGE, usage),
        route(&content::COLLECT, collect),
        route(&content::PURGE, purge),
        route(&content::VERSIONS, versions),
        route(&content::UPLOAD_MANY, upload_many),
        route(&content::DOWNLOAD_MANY, download_many),
        route(&content::KEEP, keep),
        route(&content::UPLOAD, upload),
        route(&content::DOWNLOAD, download),
        route(&content::ROWS, rows),
        route(&content::RESOLVE, resolve),
    ]
}

type InProject = (ProjectName,);

async fn missing(call: Call<InProject, ContentList>) -> Result<MissingContent, Problem> {
    let (project,) = call.at;
    let missing = call.app.engine().missing_content(&project, &call.body.contents).await?;
    Ok(MissingContent { missing })
}

async fn versions(call: Call<InProject, ContentList>) -> Result<ContentVersions, Problem> {
    let (project,) = call.at;
    call.app.known().content_versions(&project, &call.body.contents).await
}

/// Only who can read our files anyway may claim without sending: a digest alone grants nothing.
async fn claim(call: Call<InProject, ContentList>) -> Result<MissingContent, Problem> {
    if call.peer != Peer::SameUser {
        return Err(Problem::new(ErrorKind::Forbidden, "content can only be claimed by the owner of the store")
            .hint("upload it instead"));
    }
    let (project,) = call.at;
    let missing = call.app.engine().claim_content(&project, &call.body.contents).await?;
    Ok(MissingContent { missing })
}

async fn usage(call: Call<InProject>) -> Result<ContentUsage, Problem> {
    let (project,) = call.at;
    call.app.known().content_usage(&project).await
}

async fn collect(call: Call<InProject, CollectGarbage>) -> Result<GarbageCollected, Problem> {
    call.app.engine().collect_garbage(call.body).await
}

async fn purge(call: Call<InProject, Purge>) -> Result<Purged, Problem> {
    let (project,) = call.at;
    call.app.engine().purge(&call.caller, call.request, &project, call.body).await
}

async fn upload(call: Call<(ProjectName, Digest), Incoming, Uploaded>) -> Result<ContentStored, Problem> {
    let ((project, digest), mut incoming) = (call.at, call.body);
    match call.ask.kind {
        Some(UploadedKind::Tree) => {
            let node = incoming.whole(NODE_BYTES_MAX).await?;
            call.app.engine().upload_tree_node(&project, digest, node).await
        }
        None => {
            let stream = incoming.stream().map_err(|error| broke_off(&error));
            call.app.engine().upload_content(&project, digest, stream).await
        }
    }
}

/// A bundle that is cut keeps nothing: its sender begins it again.
async fn upload_many(call: Call<InProject, Incoming>) -> Result<ContentsStored, Problem> {
    let ((project,), mut incoming) = (call.at, call.body);
    let records = Record::read_all(incoming.whole(BUNDLE_BYTES_MAX).await?)?;
    call.app.engine().upload_bundle(&project, records).await
}

async fn keep(call: Call<InProject, ContentList>) -> Result<ContentsKept, Problem> {
    let (project,) = call.at;
    let contents = call.body.contents.iter().map(|claim| claim.digest).collect();
    call.app.engine().keep_pushed(&call.caller, &project, contents).await
}

async fn download_many(call: Call<InProject, ContentList>) -> Result<Response, Problem> {
    let (project,) = call.at;
    let digests = call.body.contents.iter().map(|claim| claim.digest).collect();
    let records = call.app.known().download_bundle(&project, digests).await?;
    Ok(foreign("application/octet-stream", Body::from_stream(records)))
}

async fn download(call: Call<(ProjectName, ContentId), Nothing, Bytewise>) -> Result<Response, Problem> {
    let (project, id) = call.at;
    if let Some(bytes) = call.ask.bytes {
        let (range, length, stream) = call.app.known().content_bytes(&project, id, bytes).await?;
        let mut response = foreign("application/octet-stream", Body::from_stream(stream));
        let size = range.end - range.start;
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        response.headers_mut().insert(CONTENT_SIZE, HeaderValue::from(length));
        return Ok(response);
    }
    let (size, stream) = call.app.known().download_content(&call.caller, &project, id).await?;
    let mut response = foreign("application/octet-stream", Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

/// Header with the length of the whole content of which a part is sent.
const CONTENT_SIZE: &str = "x-stemma-content-size";
/// Header with the rows that are sent.
const ROWS: &str = "x-stemma-rows";

async fn rows(call: Call<(ProjectName, ContentId), Nothing, Rows>) -> Result<Response, Problem> {
    let (project, id) = call.at;
    let wanted = call.ask.rows.unwrap_or(Span { start: 0, end: None });
    let name = call.ask.name.unwrap_or_else(|| id.to_string());
    let slice = call.app.known().content_rows(&project, id, &name, wanted).await?;
    let mut response = foreign(slice.media_type, Body::from_stream(slice.pieces));
    let rows = format!("{}..{}", slice.rows.start, slice.rows.end);
    let rows = HeaderValue::from_str(&rows).map_err(|error| Problem::invalid(error.to_string()))?;
    response.headers_mut().insert(ROWS, rows);
    Ok(response)
}

/// Content is other people's: a browser must neither run nor show it.
fn foreign(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

async fn resolve(call: Call<InProject, Nothing, Reference>) -> Result<Resolved, Problem> {
    let (project,) = call.at;
    call.known.resolve_for(&call.caller, &project, &call.ask.reference).await
}
