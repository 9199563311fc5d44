//! Bytes in and out, by digest, per project.

use bytes::Bytes;
use http_body_util::Full;
use stemma_core::{ContentId, Digest, Problem, name::ProjectName, span::Span};

use crate::{
    Client,
    act::{NoQuery, Nothing, Octets},
    client::{Body, body_from},
    types::*,
};

acts! {
    MISSING: POST /projects/{project: ProjectName}/content/missing, ContentList => MissingContent,
        Track in Project, Transfer, "which contents this project can't read yet";
    CLAIM as claim_content: POST /projects/{project: ProjectName}/content/claim, ContentList => MissingContent,
        Track in Project, Transfer, "give the project contents that lie in the shared local store";
    USAGE as content_usage: GET /projects/{project: ProjectName}/content/usage => ContentUsage,
        Read in Project, Heavy, "what versions take up";
    COLLECT as collect_garbage: POST /projects/{project: ProjectName}/content/collect, CollectGarbage => GarbageCollected,
        ManageRights in Home, Heavy, "remove content that nobody needs, of all projects";
    PURGE as purge: POST /projects/{project: ProjectName}/content/purge, Purge => Purged,
        ManageRights in Project, Heavy, "remove content for good, with a reason";
    /// Which versions need contents.
    VERSIONS as content_versions: POST /projects/{project: ProjectName}/content/versions, ContentList => ContentVersions,
        Read in Project, Heavy, "which versions need contents";
    UPLOAD_MANY: POST /projects/{project: ProjectName}/content/upload, Octets => ContentsStored,
        Track in Project, Transfer, "upload many small contents; every digest is checked";
    DOWNLOAD_MANY: POST /projects/{project: ProjectName}/content/download, ContentList => Octets,
        Read in Project, Transfer, "download many small contents";
    KEEP: POST /projects/{project: ProjectName}/content/keep, ContentList => ContentsKept,
        Track in Project, Transfer, "keep contents although no version or run names them";
    UPLOAD: PUT /projects/{project: ProjectName}/content/{digest: Digest} ? Uploaded, Octets => ContentStored,
        Track in Project, Transfer, "upload content; the digest is checked";
    DOWNLOAD: GET /projects/{project: ProjectName}/content/{digest: ContentId} ? Bytewise => Octets,
        Read in Project, Transfer, "download content";
    ROWS: GET /projects/{project: ProjectName}/content/{digest: ContentId}/rows ? Rows => Octets,
        Read in Project, Transfer, "rows of a table, as `rows=0..5000`";
    RESOLVE: GET /projects/{project: ProjectName}/resolve ? Reference => Resolved,
        Read in Project at any time, Ordinary, "what a reference stands for";
}

impl Client {
    pub async fn missing_content(&self, project: &ProjectName, list: &ContentList) -> Result<MissingContent, Problem> {
        self.transfer(&MISSING, (project,), &NoQuery {}, list).await
    }

    /// Says that contents which the project has are to stay.
    pub async fn keep_content(&self, project: &ProjectName, list: &ContentList) -> Result<ContentsKept, Problem> {
        self.transfer(&KEEP, (project,), &NoQuery {}, list).await
    }

    pub async fn upload_content(
        &self,
        project: &ProjectName,
        digest: &Digest,
        body: Body,
    ) -> Result<ContentStored, Problem> {
        self.upload(&UPLOAD, (project, digest), &Uploaded::default(), body).await
    }

    /// Sends one node of a folder's tree; what it names must be there.
    pub async fn upload_tree_node(
        &self,
        project: &ProjectName,
        digest: &Digest,
        body: Body,
    ) -> Result<ContentStored, Problem> {
        self.upload(&UPLOAD, (project, digest), &Uploaded { kind: Some(UploadedKind::Tree) }, body).await
    }

    /// Sends many small contents as a [`bundle`](crate::bundle); what nodes of folders name comes before them.
    pub async fn upload_contents(&self, project: &ProjectName, bundle: Bytes) -> Result<ContentsStored, Problem> {
        self.upload(&UPLOAD_MANY, (project,), &NoQuery {}, body_from(Full::new(bundle))).await
    }

    /// Opens a [`bundle`](crate::bundle) of contents; it ends where it is full, and what is missing is asked for again.
    pub async fn download_contents(&self, project: &ProjectName, list: &ContentList) -> Result<Body, Problem> {
        self.download(&DOWNLOAD_MANY, (project,), &NoQuery {}, list).await
    }

    /// Opens content as a stream; the caller hashes what it reads.
    pub async fn download_content(&self, project: &ProjectName, digest: &Digest) -> Result<Body, Problem> {
        let id = ContentId::Blake3(*digest);
        self.download(&DOWNLOAD, (project, &id), &Bytewise::default(), &Nothing).await
    }

    /// Opens a stretch of content's bytes.
    pub async fn content_bytes(&self, project: &ProjectName, digest: &Digest, span: Span) -> Result<Body, Problem> {
        let id = ContentId::Blake3(*digest);
        self.open(&DOWNLOAD, (project, &id), &Bytewise { bytes: Some(span) }).await
    }

    /// Opens rows of a table; those of Parquet come as JSON lines. `name` is for messages.
    pub async fn content_rows(
        &self,
        project: &ProjectName,
        digest: &Digest,
        name: &str,
        span: Span,
    ) -> Result<Body, Problem> {
        let id = ContentId::Blake3(*digest);
        self.open(&ROWS, (project, &id), &Rows { rows: Some(span), name: Some(name.to_owned()) }).await
    }

    pub async fn resolve(&self, project: &ProjectName, reference: &str) -> Result<Resolved, Problem> {
        self.call(&RESOLVE, (project,), &Reference { reference: reference.to_owned() }, &Nothing).await
    }
}
