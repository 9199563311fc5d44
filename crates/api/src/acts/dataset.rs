//! Dataset versions.

use stemma_core::name::{DatasetName, ProjectName};

use crate::types::*;

acts! {
    LIST as datasets: GET /projects/{project: ProjectName}/datasets ? Paging<DatasetName> => Page<DatasetVersion>,
        Read in Project at any time, Ordinary, "the newest version of every dataset";
    VERSIONS as dataset_versions: GET /projects/{project: ProjectName}/datasets/{dataset: DatasetName}/versions
        ? Paging<u32> => Page<DatasetVersion>,
        Read in Project at any time, Ordinary, "all versions of a dataset, newest first";
    ADD as add_dataset_version: POST /projects/{project: ProjectName}/datasets/{dataset: DatasetName}/versions,
        AddDatasetVersion => DatasetVersionAdded,
        Track in Project, Ordinary, "add content as a version of a dataset";
    /// Adds a version of data that is kept elsewhere.
    ADD_EXTERNAL as add_external_version: POST /projects/{project: ProjectName}/datasets/{dataset: DatasetName}/external,
        AddExternalVersion => DatasetVersionAdded,
        Track in Project, Ordinary, "add data that is kept elsewhere, by reference";
    ADD_IMPORTED as add_imported_version: POST /projects/{project: ProjectName}/datasets/{dataset: DatasetName}/imported,
        AddImportedVersion => DatasetVersionAdded,
        Track in Project, Ordinary, "add content that another tool kept, by its place in that history";
    BLAME as blame: GET /projects/{project: ProjectName}/datasets/{dataset: DatasetName}/blame ? RecordKey => Blame,
        Read in Project, Heavy, "which versions added, changed or removed one record";
    PROFILE as profile: GET /projects/{project: ProjectName}/profile ? Reference => TableProfile,
        Read in Project, Heavy, "what a table holds, column by column, and which columns go together";
    MOCK as mock: GET /projects/{project: ProjectName}/mock ? AskMock => MockTable,
        Read in Project, Heavy, "rows of a table's form, none of which is its own";
}
