//! Lists, a page at a time.

use std::{borrow::Cow, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use stemma_core::{ErrorKind, Problem};

use crate::act::Query;

/// Most items of a page.
pub const LIMIT_MAX: u32 = 1000;

/// A list with a cursor for the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Goes into `cursor` as it is; absent on the last page.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

const fn none() -> Option<String> {
    None
}

impl<T> Page<T> {
    /// The page of a list that was read from the cursor on, one item further than the page may go: that one says whether
    /// there is a next page.
    pub fn of<K: ToString>(mut items: Vec<T>, limit: u32, key: impl FnOnce(&T) -> K) -> Self {
        let is_last = items.len() <= limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| !is_last).map(|last| key(last).to_string());
        Self { items, next }
    }

    /// The same page of what its items become.
    pub fn map<U>(self, become_other: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(become_other).collect(), next: self.next }
    }

    /// A whole list, asked for page by page.
    pub async fn all<K: FromStr + PartialEq, const DEFAULT: u32>(
        ask: impl AsyncFn(&Paging<K, DEFAULT>) -> Result<Self, Problem>,
    ) -> Result<Self, Problem> {
        let (mut paging, mut items) = (Paging::new(None, LIMIT_MAX), Vec::new());
        loop {
            let page = ask(&paging).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => paging.go_on(&next)?,
                None => return Ok(Self { items, next: None }),
            }
        }
    }
}

/// Which page of a list: what comes behind the item with the key `K`. Without `limit` there are `DEFAULT` items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: DeserializeOwned"))]
#[schemars(bound = "")]
pub struct Paging<K, const DEFAULT: u32 = LIMIT_MAX> {
    /// What the page before gave as `next`.
    #[serde(default, alias = "before", alias = "after", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cursor: Option<K>,
    #[serde(default)]
    pub limit: Limit<DEFAULT>,
}

impl<K, const DEFAULT: u32> Paging<K, DEFAULT> {
    pub fn new(cursor: Option<K>, limit: u32) -> Self {
        Self { cursor, limit: Limit::near(limit) }
    }

    /// Moves on to the page that the last one named. One that was asked for before would be asked for for ever.
    pub fn go_on(&mut self, next: &str) -> Result<(), Problem>
    where
        K: FromStr + PartialEq,
    {
        let further = next.parse().ok().filter(|next| self.cursor.as_ref() != Some(next));
        self.cursor = Some(further.ok_or_else(|| {
            Problem::new(ErrorKind::Internal, format!("the server's list goes on at `{next}`, which is nowhere"))
                .hint("is it a Stemma server, and of this version?")
        })?);
        Ok(())
    }
}

impl<K, const DEFAULT: u32> Default for Paging<K, DEFAULT> {
    fn default() -> Self {
        Self { cursor: None, limit: Limit::default() }
    }
}

impl<K: Serialize + DeserializeOwned + Send + Sync + 'static, const DEFAULT: u32> Query for Paging<K, DEFAULT> {
    const EXAMPLE: &'static str = "cursor=NEXT&limit=100";
}

/// How many items a page may have, from 1 to [`LIMIT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit<const DEFAULT: u32>(u32);

impl<const DEFAULT: u32> Limit<DEFAULT> {
    /// As near to a number as it may be.
    pub fn near(number: u32) -> Self {
        Self(number.clamp(1, LIMIT_MAX))
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32> Default for Limit<DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u32> Deserialize<'de> for Limit<DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| serde::de::Error::custom(format!("expected a number from 1 to {LIMIT_MAX}")))
    }
}

impl<const DEFAULT: u32> JsonSchema for Limit<DEFAULT> {
    fn schema_name() -> Cow<'static, str> {
        format!("Limit{DEFAULT}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": DEFAULT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_whether_there_is_a_next_one() {
        let page = |len: u32, limit| Page::of((0..len).collect(), limit, |last| *last);
        assert_eq!(page(3, 3), Page { items: vec![0, 1, 2], next: None });
        assert_eq!(page(4, 3), Page { items: vec![0, 1, 2], next: Some("2".to_owned()) });
        assert_eq!(page(0, 1), Page { items: vec![], next: None });
    }

    #[tokio::test]
    async fn a_list_is_followed_to_its_end() {
        let list = async |from: &Paging<u32>| {
            let from = from.cursor.map_or(0, |last| last + 1);
            Ok(Page::of((from..10).take(4).collect(), 3, |last| *last))
        };
        assert_eq!(Page::all(list).await.unwrap(), Page { items: (0..10).collect(), next: None });
        for next in ["7", "x"] {
            let goes_nowhere = async |_: &Paging<u32>| Ok(Page { items: vec![7], next: Some(next.to_owned()) });
            assert!(Page::all(goes_nowhere).await.unwrap_err().message.contains("is nowhere"));
        }
    }
}
