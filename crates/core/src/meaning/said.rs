//! What somebody wants to be said of a thing.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    aspect::Aspect,
    statement::Statement,
    tag_key::{TAGS_MAX, TagKey},
};
use crate::Problem;

/// What is to be said of a thing. What is absent stays as it is; an empty text takes back what was said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, alias = "license", skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intended_use: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// The part of the model card that people write, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Tags to set. A value may be empty; then the key is all that there is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<TagKey, String>,
    /// Keys of tags to remove.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub untag: BTreeSet<TagKey>,
}

impl Said {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each as a statement, in the form in which it is kept.
    pub fn statements(&self) -> Result<Vec<Statement>, Problem> {
        let texts = [
            (Aspect::Description, &self.description),
            (Aspect::Owner, &self.owner),
            (Aspect::Licence, &self.licence),
            (Aspect::IntendedUse, &self.intended_use),
            (Aspect::BaseModel, &self.base_model),
            (Aspect::Card, &self.card),
        ];
        let texts = texts.into_iter().filter_map(|(aspect, text)| Some((aspect, text.as_deref()?)));
        let mut statements = texts.map(|(aspect, text)| Statement::new(aspect, text)).collect::<Result<Vec<_>, _>>()?;
        for (count, what) in [(self.tags.len(), "set"), (self.untag.len(), "removed")] {
            if count > TAGS_MAX {
                return Err(Problem::invalid(format!("{count} tags are {what} at once, at most {TAGS_MAX} are taken")));
            }
        }
        if let Some(key) = self.untag.iter().find(|key| self.tags.contains_key(*key)) {
            return Err(Problem::invalid(format!("tag `{key}` can't be set and removed at once")));
        }
        for (key, value) in &self.tags {
            statements.push(Statement::tag(key, value)?);
        }
        statements.extend(self.untag.iter().map(Statement::untag));
        Ok(statements)
    }
}
