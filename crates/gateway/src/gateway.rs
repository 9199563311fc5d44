//! The gateway: the table as it is now, the log, the counters and the bounds of what runs at once.

use std::sync::Arc;

use stemma_core::{Clock, name::EndpointName};
use tokio::sync::{Semaphore, watch};

use crate::{
    log::PredictionLog,
    stats::{AllCounters, ArmStats, EndpointStats},
    table::RouteTable,
};

/// Requests that are in the gateway at once; more are turned away.
pub const ADMITTED_MAX: usize = 1024;

/// Answers predictions from the newest route table and remembers them.
pub struct Gateway {
    table: watch::Receiver<Arc<RouteTable>>,
    log: PredictionLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<AllCounters>,
    pub(crate) admitted: Semaphore,
    /// Models that compute at once: as many as there are processors.
    pub(crate) running: Arc<Semaphore>,
}

impl Gateway {
    pub fn new(table: watch::Receiver<Arc<RouteTable>>, log: PredictionLog, clock: Arc<dyn Clock>) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            table,
            log,
            clock,
            counters: Arc::default(),
            admitted: Semaphore::new(ADMITTED_MAX),
            running: Arc::new(Semaphore::new(processors)),
        }
    }

    /// Returns the table of this moment; a request keeps the one it began with.
    pub fn table(&self) -> Arc<RouteTable> {
        Arc::clone(&self.table.borrow())
    }

    pub fn log(&self) -> &PredictionLog {
        &self.log
    }

    /// Returns the counters of every endpoint that was asked since the gateway started.
    pub fn stats(&self) -> Vec<EndpointStats> {
        self.counters.read()
    }

    /// Returns the counters of one endpoint, if it was asked since the gateway started.
    pub fn endpoint_stats(&self, endpoint: &EndpointName) -> Option<EndpointStats> {
        self.counters.read_one(endpoint)
    }

    /// Returns the counters of an arm by its [key](crate::table::arm_key), if it was asked since the gateway started.
    pub fn arm_stats(&self, endpoint: &EndpointName, arm: &str) -> Option<ArmStats> {
        self.counters.read_arm(endpoint, arm)
    }

    /// True if every endpoint of the table has its model, and predictions can be remembered.
    pub async fn is_ready(&self) -> bool {
        self.table().unavailable.is_empty() && self.log.ensure_writable().await.is_ok()
    }
}
