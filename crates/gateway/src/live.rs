//! The table that answers now, and how the next one takes its place.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::{
    access::Access,
    table::{RouteTable, Routes},
};

/// The one table that requests see.
///
/// Whoever reads it waits for nobody: it is one pointer, swapped whole. The next table is built beside it, however long
/// that takes; only its builders wait for each other, so that an older reading never replaces a newer one.
#[derive(Default)]
pub struct LiveTable {
    now: ArcSwap<RouteTable>,
    is_built: AtomicBool,
    building: Mutex<()>,
}

impl LiveTable {
    /// Returns the table of this moment; a request keeps the one it began with.
    pub fn now(&self) -> Arc<RouteTable> {
        self.now.load_full()
    }

    /// False until routes were built once: until then nothing is known to answer.
    pub fn is_built(&self) -> bool {
        self.is_built.load(Ordering::Acquire)
    }

    /// Builds the first routes, if nobody has.
    pub async fn ensure<E>(&self, build: impl Future<Output = Result<Routes, E>>) -> Result<(), E> {
        if self.is_built() {
            return Ok(());
        }
        let _alone = self.building.lock().await;
        match self.is_built() {
            true => Ok(()),
            false => build.await.map(|routes| self.show(routes)),
        }
    }

    /// Builds the routes anew if there were any. `build` begins when its turn has come, so it reads the newest facts.
    pub async fn renew<E>(&self, build: impl Future<Output = Result<Routes, E>>) -> Result<(), E> {
        let _alone = self.building.lock().await;
        match self.is_built() {
            true => build.await.map(|routes| self.show(routes)),
            false => Ok(()),
        }
    }

    /// From now on these routes answer, to whoever may ask at this moment.
    pub fn show(&self, routes: Routes) {
        let routes = Arc::new(routes);
        self.now.rcu(|now| RouteTable { routes: Arc::clone(&routes), access: Arc::clone(&now.access) });
        self.is_built.store(true, Ordering::Release);
    }

    /// From now on these may ask; the routes stay.
    pub fn let_in(&self, access: Access) {
        let access = Arc::new(access);
        self.now.rcu(|now| RouteTable { routes: Arc::clone(&now.routes), access: Arc::clone(&access) });
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::oneshot;

    use super::*;
    use crate::access::Grant;

    /// Routes that can be told from each other.
    fn without(endpoint: &str) -> Routes {
        let name = endpoint.parse().unwrap();
        Routes { unavailable: [(name, "default".parse().unwrap())].into(), ..Routes::default() }
    }

    fn shown(live: &LiveTable) -> Vec<String> {
        live.now().routes.unavailable.keys().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn whoever_reads_sees_the_old_table_while_the_next_is_built() {
        let live = Arc::new(LiveTable::default());
        live.show(without("old"));
        let (open, gate) = oneshot::channel();
        let (begun, has_begun) = oneshot::channel();
        let building = tokio::spawn({
            let live = Arc::clone(&live);
            async move {
                let build = async {
                    begun.send(()).unwrap();
                    gate.await.unwrap();
                    Ok::<_, Infallible>(without("new"))
                };
                live.renew(build).await
            }
        });
        has_begun.await.unwrap();
        assert_eq!(shown(&live), ["old"]);
        // neither the first routes nor rights wait for whoever builds
        live.ensure(async { Err("nobody needs to build") }).await.unwrap();
        let grant = Grant { principal: "shop".parse().unwrap(), rights: Arc::default(), expires: None };
        let token = Access::hash("stm_shop");
        live.let_in(Access { tokens: [(token, grant)].into(), anonymous_local: false });
        assert!(live.now().access.tokens.contains_key(&token));
        open.send(()).unwrap();
        building.await.unwrap().unwrap();
        assert_eq!(shown(&live), ["new"]);
        assert!(live.now().access.tokens.contains_key(&token), "rights of after the building began");
    }

    #[tokio::test]
    async fn routes_are_built_first_by_whoever_needs_them_and_by_one() {
        let live = LiveTable::default();
        live.renew(async { Err("no one asks endpoints yet") }).await.unwrap();
        assert_eq!(live.ensure(async { Err("the ledger can't be read") }).await, Err("the ledger can't be read"));
        assert!(!live.is_built());
        let built = || async { Ok::<_, Infallible>(without("first")) };
        live.ensure(built()).await.unwrap();
        live.ensure(async { Err("built already") }).await.unwrap();
        assert_eq!(shown(&live), ["first"]);
        assert_eq!(live.renew(async { Err("the ledger can't be read") }).await, Err("the ledger can't be read"));
        assert_eq!(shown(&live), ["first"], "what could not be built replaces nothing");
    }
}
