//! What a server takes at most, and for how long it waits for others. Each bound has its reason beside it.

use std::time::Duration;

use stemma_gateway::TurnLimits;

/// Longest head of a request, with all its headers. A connection that only sends it takes no more memory.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 100;
/// Files that a server opens besides its connections: the store's packs, the ledger, the log, temporary ones.
pub const FILES_KEPT: u64 = 512;

/// The bounds of a server; tests take shorter times.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of the network at once. One more closes the one that has kept us waiting for longest.
    pub connections: usize,
    /// The same on the socket of the owner, who is not shut out by others.
    pub owner_connections: usize,
    /// The head of a request comes within this time, or the connection is closed.
    pub head: Duration,
    /// How slowly a body may come and an answer be taken, on the network.
    pub pace: Pace,
    /// Bytes of bodies in memory, of all requests together.
    pub body_bytes: usize,
    /// The same, of bodies of up to 64 KiB alone.
    pub short_body_bytes: usize,
    /// Acts that read and answer little.
    pub ordinary: TurnLimits,
    /// Uploads and downloads, each of which holds a thread.
    pub transfers: TurnLimits,
    /// Acts that compute for long or read much: evaluations, comparisons, rows, family trees.
    pub heavy: TurnLimits,
    /// Requests under way get this long to finish when the server stops; then they are cut.
    pub drain: Duration,
    /// Connections that keep us waiting get this long when the server stops.
    pub drain_waiting: Duration,
}

/// The slowest that a client may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nothing moves for so long on a connection that lives.
    pub idle: Duration,
    /// All waiting together takes no longer than this, and what the bytes that came earn at the slowest rate.
    pub grace: Duration,
    /// Bytes in a second on the average, while we wait.
    pub rate: u64,
}

/// Long enough for a client that retries a lost packet; as the client's own patience with us (`api/client/stall`).
pub const PACE: Pace = Pace { idle: Duration::from_secs(20), grace: Duration::from_secs(30), rate: 4 << 10 };

impl Default for Limits {
    fn default() -> Self {
        let wait = Duration::from_secs(20);
        Self {
            connections: 4096,
            owner_connections: 512,
            head: Duration::from_secs(20),
            pace: PACE,
            body_bytes: 256 << 20,
            short_body_bytes: 16 << 20,
            ordinary: TurnLimits { at_once: 64, at_once_each: 48, waiting: 1024, waiting_each: 768, wait },
            transfers: TurnLimits { at_once: 64, at_once_each: 48, waiting: 1024, waiting_each: 768, wait },
            heavy: TurnLimits {
                at_once: heavy_at_once(std::thread::available_parallelism().map_or(2, usize::from)),
                at_once_each: HEAVY_MAX,
                waiting: 64,
                waiting_each: 32,
                // as long as some registrations take
                wait: Duration::from_secs(300),
            },
            drain: Duration::from_secs(20),
            drain_waiting: Duration::from_secs(2),
        }
    }
}

/// Each holds tables and models in memory, so that there are few even where there are many processors.
const HEAVY_MAX: usize = 4;

/// Fewer than processors, so that one is always left.
fn heavy_at_once(processors: usize) -> usize {
    processors.saturating_sub(1).clamp(1, HEAVY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_acts_leave_a_processor_and_memory() {
        let cases = [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)];
        for (processors, acts) in cases {
            assert_eq!(heavy_at_once(processors), acts, "{processors}");
        }
    }
}
