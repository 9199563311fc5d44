//! Who the caller is, what the home is, and the API's own description.

use stemma_core::Problem;

use crate::{Client, act::Nothing, types::*};

acts! {
    HOME as home: GET /home => HomeInfo, Read in Somewhere, Ordinary, "the home and who you are to it";
    HISTORY: GET /home/history ? Remembered => HistoryShown,
        Read in Somewhere, Ordinary, "the signed head, and proofs that earlier ones are beginnings of it";
    OPENAPI: GET /"openapi.json" => serde_json::Value, Public in Home, Free, "this API as an OpenAPI 3.1 document";
}

impl Client {
    /// The home's head, and proofs that sizes are beginnings of it.
    pub async fn history(&self, sizes: impl IntoIterator<Item = u64>) -> Result<HistoryShown, Problem> {
        let remembered = Remembered { seen: sizes.into_iter().collect() };
        self.call(&HISTORY, (), &remembered, &Nothing).await
    }
}
