//! What people say of things: of the project itself, of models and their versions, datasets and endpoints.

use stemma_core::name::{ModelName, ProjectName};

use crate::types::*;

acts! {
    SHOW as meaning: GET /projects/{project: ProjectName}/meaning ? OfThing => Meaning,
        Read in Project at any time, Ordinary, "what is said of a thing";
    /// Says something of a thing, or takes it back: all of it or nothing.
    DESCRIBE as describe: POST /projects/{project: ProjectName}/meaning, Describe => Described,
        Register in Project, Ordinary, "describe a thing: owner, licence, tags and the like";
    HISTORY as statements: GET /projects/{project: ProjectName}/meaning/history ? StatementsOf => Page<StatementMade>,
        Read in Project at any time, Ordinary, "who said what of a thing, and what was said before";
    CARD as model_card: GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/card
        => ModelCard,
        Read in Project at any time, Ordinary, "a version's card, made from evidence";
}
