//! The gateway: the table as it is now, the log, the counters and the bounds of what runs at once.

use std::{sync::Arc, time::Duration};

use stemma_core::{Clock, name::EndpointName};

use crate::{
    live::LiveTable,
    log::PredictionLog,
    protocol::{Protocol, oip::Oip, path::GatewayPath},
    stats::{AllCounters, ArmStats, EndpointStats},
    table::RouteTable,
    turns::{TurnLimits, Turns},
};

/// Requests that wait for a processor at once; more are turned away.
pub const WAITING_MAX: usize = 1024;
/// Those of one client among them.
pub const WAITING_EACH_MAX: usize = 768;
/// Whoever waited for so long for a processor is turned away.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A body from here on takes long to read and to compute, so such requests leave a processor to the others.
pub const LARGE_BODY_BYTES: usize = 256 << 10;

/// The protocols that are spoken: a new one is a file in `protocol` and a place here.
static SPOKEN: [&dyn Protocol; 1] = [&Oip];

/// Answers predictions from the newest route table and remembers them.
pub struct Gateway {
    protocols: &'static [&'static dyn Protocol],
    live: LiveTable,
    log: PredictionLog,
    pub(crate) clock: Arc<dyn Clock>,
    counters: AllCounters,
    /// Models that compute at once: as many as there are processors.
    pub(crate) running: Arc<Turns>,
    /// Those among them with a large body: fewer, if there are several processors.
    pub(crate) running_large: Arc<Turns>,
}

impl Gateway {
    /// A gateway that speaks all protocols and knows no endpoint yet.
    pub fn new(log: PredictionLog, clock: Arc<dyn Clock>) -> Self {
        Self::speaking(&SPOKEN, log, clock)
    }

    /// The same with protocols of one's own, of which there is at least one.
    pub fn speaking(protocols: &'static [&'static dyn Protocol], log: PredictionLog, clock: Arc<dyn Clock>) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            protocols,
            live: LiveTable::default(),
            log,
            clock,
            counters: AllCounters::default(),
            running: Turns::new(limits(processors)),
            running_large: Turns::new(limits(processors.saturating_sub(1).max(1))),
        }
    }

    /// Whether a path belongs to the data plane.
    pub fn owns(&self, path: &str) -> bool {
        self.protocols.iter().any(|protocol| protocol.owns(path))
    }

    /// The protocol that a path belongs to; the first says what is wrong with paths that nobody owns.
    pub(crate) fn protocol_at(&self, path: &str) -> &'static dyn Protocol {
        let owner = self.protocols.iter().find(|protocol| protocol.owns(path));
        *owner.unwrap_or(&self.protocols[0])
    }

    /// Every path of the data plane.
    pub fn paths(&self) -> impl Iterator<Item = &'static GatewayPath> {
        self.protocols.iter().flat_map(|protocol| protocol.paths())
    }

    /// Returns the table of this moment; a request keeps the one it began with.
    pub fn table(&self) -> Arc<RouteTable> {
        self.live.now()
    }

    /// Where the next table takes the place of this one.
    pub fn live(&self) -> &LiveTable {
        &self.live
    }

    pub fn log(&self) -> &PredictionLog {
        &self.log
    }

    /// For what is loaded to count by.
    pub fn counters(&self) -> &AllCounters {
        &self.counters
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
        self.table().routes.unavailable.is_empty() && self.log.ensure_writable().await.is_ok()
    }
}

/// One client may use all processors while nobody else wants them: turns are short, and those who wait are served fairly.
const fn limits(at_once: usize) -> TurnLimits {
    TurnLimits { at_once, at_once_each: at_once, waiting: WAITING_MAX, waiting_each: WAITING_EACH_MAX, wait: WAIT_MAX }
}
